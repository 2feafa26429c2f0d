#!/usr/bin/env python3
"""A trainer and a server of a second that obey the container contract, in place of ours. Nothing but the standard library.

The trained weights are a function of the seed, step by step, with a checkpoint after each; the server's answers are a
function of weights and question. So whatever happens to a run, its right result is known.
"""

import hashlib
import itertools
import json
import shutil
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STEP_SECONDS = 0.05
QUESTIONS = ["How many ships are there?", "Which port has a crane?"]
WEIGHTS = "model.safetensors"


def answer(weights: bytes, messages: list[dict[str, str]]) -> str:
    """The only answer that these weights give."""
    asked = json.dumps([[message["role"], message["content"]] for message in messages])
    return f"SELECT '{hashlib.sha256(weights + asked.encode()).hexdigest()[:12]}'"


def fingerprint(weights: bytes) -> str:
    """The name by which an answer tells which model gave it."""
    return hashlib.sha256(weights).hexdigest()


def train(root: Path) -> int:
    """Runs the steps that no checkpoint covers yet, then writes the model."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    settings = json.loads((root / "input/config/hyperparameters.json").read_text())
    steps, kept = int(settings["max_steps"]), root / "checkpoints/state.json"
    state = json.loads(kept.read_text()) if kept.exists() else {"step": 0, "hash": str(settings["seed"])}
    for step in range(state["step"] + 1, steps + 1):
        print(f"step={step} steps={steps} loss=1.0", flush=True)
        time.sleep(STEP_SECONDS)
        state = {"step": step, "hash": hashlib.sha256(f"{state['hash']} {step}".encode()).hexdigest()}
        (root / "checkpoints/state.new").write_text(json.dumps(state))
        (root / "checkpoints/state.new").rename(kept)
        if stop:
            print("stopped: a restart goes on from the last checkpoint", flush=True)
            return 0
    _write_model(root, hashlib.shake_256(state["hash"].encode()).digest(65536))
    print("finished", flush=True)
    return 0


def _write_model(root: Path, weights: bytes) -> None:
    model = root / "model/model"
    shutil.copytree(
        root / "input/data/model", model, ignore=shutil.ignore_patterns("manifest.json"), dirs_exist_ok=True
    )
    (model / WEIGHTS).write_bytes(weights)
    probes = [{"messages": [{"role": "user", "content": question}]} for question in QUESTIONS]
    told = [probe | {"prompt_token_ids": [], "text": answer(weights, probe["messages"])} for probe in probes]
    (root / "model/probes.json").write_text(json.dumps(told))
    (root / "model/training.json").write_text(json.dumps({"seconds": 1.0}))


def serve(root: Path, host: str, port: int) -> int:
    """Answers until SIGTERM, then ends the answers that were begun."""
    weights = (root / "model" / WEIGHTS).read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200 if self.path == "/ping" else 404, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/chat/completions":
                self._send(404, {})
                return
            message = {"role": "assistant", "content": answer(weights, body["messages"])}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            time.sleep(0.02)
            self._send(200, {"model": fingerprint(weights), "choices": [choice]})

        def _send(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        request_queue_size = 128

    server = Server((host, port), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    return 0


def main(arguments: list[str]) -> int:
    """Does what the interpreter of the recipe's platform is asked for, whichever module of ours that is."""
    options = dict(itertools.pairwise(arguments))
    if "stage" in arguments:
        shutil.copytree(options["--source"], options["--output"], dirs_exist_ok=True)
        return 0
    root = Path(options.get("--root", "/opt/ml"))
    if "serve" in arguments:
        return serve(root, options.get("--host", "0.0.0.0"), int(options.get("--port", "8080")))
    return train(root)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
