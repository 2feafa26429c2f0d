"""The model server.

    python -m finetune_flows.containers.serving --root DIR [--host HOST] [--port PORT]

Serves the model in DIR/model; `serve`, which SageMaker adds, may come first. SERVING_* variables: see settings.py.
SIGTERM: new requests get status 503, what runs is finished within SERVING_GRACE_SECONDS, exit 0. A second one ends it at once.
"""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from finetune_flows.containers.serving.app import create_app, serve
from finetune_flows.containers.serving.classification import is_classifier
from finetune_flows.containers.serving.record import log as access
from finetune_flows.containers.serving.settings import ServingSettings

# Longer than clients and load balancers keep an idle connection (httpx 5 s, AWS 60 s): who closes first must be the client, or now and
# then a request is sent into a connection that is just being closed, and lost.
KEEP_ALIVE_SECONDS = 75
CLOSING_SECONDS = 3  # for the last error answers to be sent, after the grace


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = ServingSettings.from_environment()
        folder = _model_folder(options.root)
        listener = _listen(options.host, options.port)
    except (OSError, ValueError) as error:
        print(f"cannot serve: {error}", file=sys.stderr)
        return 2
    _set_up_logging(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _exit)  # before uvicorn takes them, and when it has finished and raises them again
    return asyncio.run(_serve(settings, folder, listener))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="finetune_flows.containers.serving", description="Serve a language model over HTTP."
    )
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve", help="for SageMaker, which adds it")
    parser.add_argument("--root", type=Path, default=Path("/opt/ml"), help="folder whose `model` is served")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; 0.0.0.0 inside a container")
    parser.add_argument("--port", type=int, default=8080, help="0: any free one, see the line printed at the start")
    return parser


def _model_folder(root: Path) -> Path:
    folder = root / "model"
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise FileNotFoundError(f"no model in {folder}: expected config.json and *.safetensors")
    return folder


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise OSError(f"{host}:{port}: {os.strerror(error.errno or 0)}") from error


class Server(uvicorn.Server):
    """Stops in good order: uvicorn's own way closes the door at once, so a client could not tell a stop from a crash."""

    def __init__(self, app: FastAPI, grace: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=CLOSING_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        self.state = app.state
        self.grace = grace
        self.deadline = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On the first signal refuse what is new; on the second one end."""
        if self.state.stopping:
            self.should_exit = True
        self.state.stopping = True
        self.deadline = time.monotonic() + self.grace

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: end when all requests are answered, or the grace is over."""
        if self.state.stopping and (not self.state.under_way or time.monotonic() > self.deadline):
            if self.state.service:  # what still runs gets an error for an answer
                await asyncio.to_thread(self.state.service.engine.close)
            self.should_exit = True
        return await super().on_tick(counter)


async def _serve(settings: ServingSettings, folder: Path, listener: socket.socket) -> int:
    app = create_app(settings, classifies=is_classifier(folder))
    server = Server(app, settings.grace_seconds)
    host, port = listener.getsockname()[:2]
    # A daemon thread: a signal during a long load must not wait for its end.
    loading = threading.Thread(target=_load, args=(app, server, settings, folder, f"http://{host}:{port}"), daemon=True)
    loading.start()
    try:
        await server.serve(sockets=[listener])
    finally:
        if app.state.service:
            app.state.service.engine.close()
    return 1 if app.state.failed else 0


def _load(app: FastAPI, server: Server, settings: ServingSettings, folder: Path, url: str) -> None:
    try:
        from finetune_flows.containers.serving.loading import load  # torch: seconds, in which /ping answers already

        service = load(folder, settings)
        serve(app, service)
    except Exception as error:
        logging.getLogger("serving").debug("loading failed", exc_info=True)
        print(f"cannot serve {folder}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        app.state.failed, server.should_exit = True, True
        return
    print(f"serving {folder.name} on {url} ({service.engine.description})", flush=True)


def _set_up_logging(level: str) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("serving").setLevel(level.upper())
    lines = logging.StreamHandler(sys.stdout)  # bare: each line is a JSON object
    access.addHandler(lines)
    access.setLevel(logging.INFO)
    access.propagate = False


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # everything is in the folder
    # Read by OpenMP when torch is imported. Threads that spin while they wait cost a factor of ten beside other programs; those that never
    # spin take up to twice the time on a quiet machine. So they spin briefly.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    sys.exit(main())
