"""A double of the Hugging Face hub's HTTP API: as much of it as creating a repository and committing files needs.

It keeps the hub's rules that matter here: a token is required, large files are uploaded before the commit that names them,
and creating a repository again changes nothing.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "hf_a_token_of_the_double"


@dataclass
class Hub:
    """What the double holds."""

    url: str
    private: dict[str, bool] = field(default_factory=dict)
    """Whether each repository is private, by its name."""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The committed files of each repository."""
    uploaded: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""

    def reply(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and JSON body of the reply to an authorised request."""
        parts = path.strip("/").split("/")
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            status = 409 if name in self.private else 200
            self.private.setdefault(name, asked.get("visibility") == "private")
            return status, {"url": f"{self.url}/{name}", "name": name}
        if method == "PUT" and parts[0] == "lfs":
            digest = hashlib.sha256(body).hexdigest()
            self.uploaded[digest] = body
            return (200 if digest == parts[1] else 400), {}
        if path.endswith(".git/info/lfs/objects/batch"):
            upload = [
                {**each, "actions": {"upload": {"href": f"{self.url}/lfs/{each['oid']}"}}}
                for each in json.loads(body)["objects"]
            ]
            return 200, {"transfer": "basic", "objects": upload}
        name = "/".join(parts[2:4])
        if parts[:2] != ["api", "models"] or name not in self.private:
            return 404, {"error": f"no {path}"}
        if len(parts) == 4:
            return 200, {"id": name, "private": self.private[name], "siblings": []}
        return 200, self._preupload(body) if parts[4] == "preupload" else self._commit(name, body)

    def _preupload(self, body: bytes) -> Any:
        modes = {True: "lfs", False: "regular"}
        return {
            "files": [
                {
                    "path": each["path"],
                    "uploadMode": modes[each["path"].endswith(".safetensors")],
                    "shouldIgnore": False,
                }
                for each in json.loads(body)["files"]
            ]
        }

    def _commit(self, name: str, body: bytes) -> Any:
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.files.setdefault(name, {})[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files.setdefault(name, {})[value["path"]] = self.uploaded[value["oid"]]
        return {"commitUrl": f"{self.url}/{name}/commit/{'1' * 40}", "commitOid": "1" * 40}


@contextmanager
def hub() -> Iterator[Hub]:
    """The double on a free port of the loopback interface."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            # As on the real hub, the address of an upload is signed and carries no token.
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}" or self.command == "PUT"
            path = self.path.split("?")[0]
            refusal = (401, {"error": f"bad credentials: {self.headers.get('Authorization')}"})
            status, content = held.reply(self.command, path, body) if known else refusal
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held = Hub(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
