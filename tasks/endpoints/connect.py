"""How an endpoint is reached: by its address, or by what its platform has instead of one."""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import httpx

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})  # no proxy stands between us and ourselves


class Connection(Protocol):
    """Opens HTTP clients for one endpoint. Their paths are relative to it: `/v1/chat/completions`, `/ping`."""

    @property
    def url(self) -> str:
        """What people and records call it by."""

    def client(self, timeout: float | httpx.Timeout) -> httpx.Client:
        """For one request after the other. `timeout` in seconds."""

    def async_client(self, timeout: float | httpx.Timeout, connections: int) -> httpx.AsyncClient:
        """For many requests at once, at most `connections`."""


@dataclass(frozen=True)
class Http:
    """A server with an address, ours or anybody's."""

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
