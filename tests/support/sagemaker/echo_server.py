"""A serving program of a second: it obeys the container contract, echoes, streams, fails as it is told to."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404, b"")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        time.sleep(asked.get("sleep", 0))
        if "fail" in asked:
            self.answer(asked["fail"], b"told to fail")
        elif asked.get("stream"):
            self.stream(asked["stream"])
        else:
            seen = {
                "model": sorted(os.listdir("/opt/ml/model")),
                "greeting": os.environ.get("GREETING"),
                "asked": asked,
            }
            self.answer(200, json.dumps(seen).encode())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, words):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in words:
            self.wfile.write(f"{len(word):x}\r\n{word}\r\n".encode())
            self.wfile.flush()
            time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


if not Path("/opt/ml/model/config.json").exists():
    raise SystemExit("no model here")
print("serving", flush=True)
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
