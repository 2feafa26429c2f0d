"""Closes connections whose client sends a request's first line and headers too slowly. uvicorn itself waits for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEADER_SECONDS = 20.0


class PatientProtocol(AutoHTTPProtocol):  # type: ignore[misc,valid-type]  # chosen when uvicorn is imported
    """uvicorn's protocol with a limit for headers, counted from the connection, or from the first byte of a later request."""

    header_seconds = HEADER_SECONDS
    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start to count."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Stop to count when a request has begun, and start when a later one arrives in part."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._overdue is None:
            self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to count."""
        self._forget()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._overdue = asyncio.get_running_loop().call_later(self.header_seconds, self._close)

    def _forget(self) -> None:
        if self._overdue:
            self._overdue.cancel()
            self._overdue = None

    def _close(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if not answering and self.timeout_keep_alive_task is None:  # with that task, it waits between two requests
            self.transport.close()


def protocol(seconds: float) -> type[PatientProtocol]:
    """The protocol for a server whose requests may take this long altogether."""
    return type("Protocol", (PatientProtocol,), {"header_seconds": min(seconds, HEADER_SECONDS)})
