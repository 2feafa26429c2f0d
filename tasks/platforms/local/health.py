"""Waits for a server to come up."""

import time
from collections.abc import Callable

import httpx


def wait_until_healthy(url: str, seconds: float, runs: Callable[[], bool]) -> bool:
    """Requests `url` until it answers 200. False if the server ends (`runs` returns False) or `seconds` have passed."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up and runs():
        if _answers(url):
            return True
        time.sleep(0.1)
    return False


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
