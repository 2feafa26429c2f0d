"""HTTP clients for endpoints of any platform: one that has no address of its own is reached by a transport.

Whoever asks an endpoint posts to `{url}/v1/chat/completions`, whatever the scheme of its URL.
"""

from typing import Any
from urllib.parse import urlsplit

import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def sync_client(url: str, timeout: float | httpx.Timeout) -> httpx.Client:
    """A client that resolves paths against the endpoint's URL. `timeout` in seconds."""
    return httpx.Client(base_url=url, timeout=timeout, **_way_to(url))


def async_client(url: str, timeout: float | httpx.Timeout, connections: int) -> httpx.AsyncClient:
    """The same for many requests at once, at most `connections`."""
    limits = httpx.Limits(max_connections=connections)
    return httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, **_way_to(url, limits))


def _way_to(url: str, limits: httpx.Limits | None = None) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sagemaker":
        from tasks.platforms.sagemaker.invoking import InvokeEndpoint, InvokeEndpointSync

        return {"transport": InvokeEndpointSync(parts) if limits is None else InvokeEndpoint(parts, limits)}
    return {"trust_env": parts.hostname not in LOOPBACK}  # no proxy stands between us and ourselves
