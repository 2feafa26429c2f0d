"""A server of a second: answers /ping and echoes. Not our server, so that the platform is tested without loading torch."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ping" else 404)
        self.end_headers()
        seen = {"model": sorted(os.listdir("/opt/ml/model")), "dtype": os.environ.get("SERVING_DTYPE")}
        self.wfile.write(json.dumps(seen).encode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


def main():
    if not Path("/opt/ml/model/config.json").exists():
        raise SystemExit("no model here")
    ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
