"""HTTP clients for endpoints of any platform: one that has no address of its own is reached by a transport.

Whoever asks an endpoint posts to `{url}/v1/chat/completions`, whatever the scheme of its URL.
"""

from urllib.parse import urlsplit

import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # no proxy stands between us and ourselves


def sync_client(url: str, timeout: float | httpx.Timeout) -> httpx.Client:
    """A client that resolves paths against the endpoint's URL. `timeout` in seconds."""
    parts = urlsplit(url)
    if parts.scheme == "sagemaker":
        from finetune_flows.tasks.platforms.sagemaker.invoking import transport

        return httpx.Client(base_url=url, timeout=timeout, transport=transport(parts))
    return httpx.Client(base_url=url, timeout=timeout, trust_env=parts.hostname not in LOOPBACK)


def async_client(
    url: str, timeout: float | httpx.Timeout, connections: int, key: str | None = None
) -> httpx.AsyncClient:
    """The same for many requests at once, at most `connections`. `key`: what a foreign server knows its callers by."""
    parts = urlsplit(url)
    if parts.scheme == "sagemaker":
        from finetune_flows.tasks.platforms.sagemaker.invoking import async_transport

        return httpx.AsyncClient(base_url=url, timeout=timeout, transport=async_transport(parts, connections))
    limits = httpx.Limits(max_connections=connections)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    ours = parts.hostname in LOOPBACK
    return httpx.AsyncClient(base_url=url, timeout=timeout, limits=limits, headers=headers, trust_env=not ours)
