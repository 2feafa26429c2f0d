"""How to reach an endpoint: by its address, or through the platform where an endpoint has none."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # reached without the proxy that the environment may name


class Connection(Protocol):
    """Opens HTTP clients for one endpoint. Their paths are relative to it: `/v1/chat/completions`, `/ping`."""

    @property
    def url(self) -> str:
        """The endpoint's identity in messages and records."""

    def client(self, timeout: float | httpx.Timeout) -> httpx.Client:
        """A client for requests one at a time. `timeout` is in seconds."""

    def async_client(self, timeout: float | httpx.Timeout, connections: int) -> httpx.AsyncClient:
        """A client for concurrent requests, at most `connections` of them. `timeout` is in seconds."""


@dataclass(frozen=True)
class Http:
    """A server with an address, ours or someone else's."""

    url: str

    def client(self, timeout: float | httpx.Timeout) -> httpx.Client:
        """See `Connection`."""
        return httpx.Client(base_url=self.url, timeout=timeout, trust_env=not self._is_here)

    def async_client(self, timeout: float | httpx.Timeout, connections: int) -> httpx.AsyncClient:
        """See `Connection`."""
        limits = httpx.Limits(max_connections=connections)
        return httpx.AsyncClient(base_url=self.url, timeout=timeout, limits=limits, trust_env=not self._is_here)

    @property
    def _is_here(self) -> bool:
        return urlsplit(self.url).hostname in LOOPBACK
