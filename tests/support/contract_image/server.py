"""A server of a second: answers /ping, echoes, fails as it is told to. Not our server, so that a platform is tested without torch."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = Path(os.environ.get("CONTRACT_ROOT", "/opt/ml"), "model")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        seen = {"model": sorted(os.listdir(MODEL)), "dtype": os.environ.get("SERVING_DTYPE")}
        self.answer(200 if self.path == "/ping" else 404, seen)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(asked.get("fail", 200), {"model": sorted(os.listdir(MODEL)), "asked": asked})

    def answer(self, status, body):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


if __name__ == "__main__":
    if not (MODEL / "config.json").exists():
        raise SystemExit("no model here")
    address = os.environ.get("CONTRACT_HOST", "0.0.0.0"), int(os.environ.get("CONTRACT_PORT", "8080"))
    ThreadingHTTPServer(address, Handler).serve_forever()
