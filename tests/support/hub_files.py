"""A double of the Hugging Face hub's HTTP API: as much of it as listing and reading the files of a data set needs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

DATASET = "org/name"
COMMIT = "1" * 40


def reply(files: Mapping[str, bytes], path: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers."""
    api, data = f"/api/datasets/{DATASET}", f"/datasets/{DATASET}/resolve/"
    if path.startswith(f"{api}/paths-info/"):
        asked = parse_qs(body.decode()).get("paths", []) if body[:1] != b"{" else json.loads(body)["paths"]
        return 200, json.dumps([each for name in asked for each in _listed(files, name)[:1]]).encode(), {}
    if path.startswith(f"{api}/tree/"):
        folder = path.removeprefix(f"{api}/tree/").partition("/")[2]
        return 200, json.dumps([_file(files, name) for name in files if name.startswith(f"{folder}/")]).encode(), {}
    if path.startswith(api):
        return 200, json.dumps({"id": DATASET, "sha": COMMIT}).encode(), {}
    if path.startswith(data) and (content := files.get(path.removeprefix(data).partition("/")[2])) is not None:
        return 200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
    return 404, b'{"error": "not found"}', {"X-Error-Code": "EntryNotFound" if DATASET in path else "RepoNotFound"}


def _file(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    oid = hashlib.sha1(files[name]).hexdigest()
    return {"type": "file", "path": name, "size": len(files[name]), "oid": oid}


def _listed(files: Mapping[str, bytes], name: str) -> list[dict[str, Any]]:
    if name in files:
        return [_file(files, name)]
    is_folder = any(file.startswith(f"{name}/") for file in files)
    return [{"type": "directory", "path": name, "oid": COMMIT}] if is_folder else []


@contextmanager
def hub_with(files: Mapping[str, bytes]) -> Iterator[str]:
    """The address of a hub with one data set, DATASET, that has these files."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content, headers = reply(files, unquote(urlsplit(self.path).path), body)
            wanted = self.headers.get("Range")
            if wanted and status == 200 and "/resolve/" in self.path:
                first, last = wanted.removeprefix("bytes=").split("-")
                status, content = 206, content[int(first) : int(last or len(content)) + 1]
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = answer

        def log_message(self, *arguments: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
