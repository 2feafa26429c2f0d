"""Everything the emulator was ever sent: headers in memory, bodies on disk, so that a scan can read all of it."""

import itertools
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

EMULATOR_KEY = "AKIAEMULATOR00000000"  # what the emulator itself puts into S3 and the logs is no client's request
_TARGETS = {"SageMaker": "sagemaker", "ServiceQuotasV20190624": "service-quotas", "AWSPriceListService": "pricing"}
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/")


@dataclass
class Call:
    """One request."""

    service: str
    operation: str  # CreateTrainingJob; for REST services `PUT /bucket/key`
    headers: dict[str, str]
    query: str
    body: Path
    error: str | None = None

    @property
    def payload(self) -> dict[str, Any]:
        """The body of a JSON request."""
        content: dict[str, Any] = json.loads(self.body.read_bytes() or b"{}")
        return content


class Record:
    """The requests in the order they came."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls: list[Call] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, environ: dict[str, Any]) -> Call:
        """Writes the body down, and lets whoever answers read it from there."""
        path = self.folder / f"{next(self._numbers):06}"
        with path.open("wb") as body:
            _copy_body(environ, body)
        environ["wsgi.input"] = path.open("rb")
        environ["CONTENT_LENGTH"] = str(path.stat().st_size)
        headers = {name[5:]: str(value) for name, value in environ.items() if name.startswith("HTTP_")}
        key, service = _signer(headers)
        target, _, operation = headers.get("X_AMZ_TARGET", "").rpartition(".")
        if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):  # AWS's query protocol
            operation = parse_qs(path.read_text()).get("Action", [""])[0]
        name = operation or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
        call = Call(_TARGETS.get(target, service), name, headers, unquote(environ.get("QUERY_STRING", "")), path)
        if key == EMULATOR_KEY:
            path.unlink()  # stays readable for the one who answers
        else:
            with self._lock:
                self.calls.append(call)
        return call

    def of(self, operation: str) -> list[Call]:
        """The calls of one operation."""
        return [call for call in self.calls if call.operation == operation]

    def texts(self) -> Iterator[bytes]:
        """All that was sent, piece by piece."""
        for call in self.calls:
            yield f"{call.operation} {call.query} {call.headers}".encode()
            yield call.body.read_bytes()

    def clear(self) -> None:
        """Forgets all."""
        self.calls.clear()
        shutil.rmtree(self.folder)
        self.folder.mkdir()


def _copy_body(environ: dict[str, Any], body: Any) -> None:
    source = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        shutil.copyfileobj(source, body)
        return
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left and (chunk := source.read(min(left, 1 << 20))):
        body.write(chunk)
        left -= len(chunk)


def _signer(headers: dict[str, str]) -> tuple[str, str]:
    """Access key and service of a signed request."""
    found = _CREDENTIAL.search(headers.get("AUTHORIZATION", ""))
    return (found[1], found[2]) if found else ("", "")
