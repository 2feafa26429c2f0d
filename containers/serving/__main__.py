"""The model server.

    python -m finetune_flows.containers.serving --root DIR [--host HOST] [--port PORT]

Serves the model in DIR/model. SageMaker adds the argument `serve`. settings.py lists the SERVING_* variables.
After SIGTERM, new requests get status 503, running requests have SERVING_GRACE_SECONDS to finish, and the exit status is 0.
A second SIGTERM ends the server immediately.
"""

import argparse
import asyncio
import gc
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
from finetune_flows.containers.serving.connections import protocol
from finetune_flows.containers.serving.record import log as access
from finetune_flows.containers.serving.settings import ServingSettings

# Longer than clients and load balancers keep an idle connection (httpx 5 s, AWS 60 s). The client must close it first: if the
# server closes it just as the client sends a request, that request is lost.
KEEP_ALIVE_SECONDS = 75
CLOSING_SECONDS = 3  # time to send the last error answers after the grace period


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal arrives. Returns the exit status."""
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
        signal.signal(number, _exit)  # until uvicorn handles signals, and after its end, when it raises them again
    gc.disable()  # until the model is loaded: it would search the libraries' objects, a sixth of the time of a start
    return asyncio.run(_serve(settings, folder, listener))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="finetune_flows.containers.serving", description="Serve a language model over HTTP."
    )
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve", help="optional; SageMaker adds it")
    parser.add_argument(
        "--root", type=Path, default=Path("/opt/ml"), help="folder that contains `model` (default: /opt/ml)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1); use 0.0.0.0 in a container"
    )
    parser.add_argument(
        "--port", type=int, default=8080, help="port (default: 8080); 0: any free port, printed at the start"
    )
    return parser


def _model_folder(root: Path) -> Path:
    folder = root / "model"
    weights = any(folder.glob("*.safetensors")) or (folder / "model.onnx").is_file()
    if not (folder / "config.json").is_file() or not weights:
        raise FileNotFoundError(f"no model in {folder}: expected config.json and *.safetensors or model.onnx")
    return folder


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        raise OSError(f"{host}:{port}: {os.strerror(error.errno or 0)}") from error


class Server(uvicorn.Server):
    """A server that refuses new requests with status 503 while it stops.

    uvicorn itself closes its socket immediately, so a client could not tell a stop from a crash.
    """

    def __init__(self, app: FastAPI, settings: ServingSettings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol(settings.request_seconds),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=CLOSING_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )
        self.state = app.state
        self.grace = settings.grace_seconds
        self.deadline = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Refuse new requests after the first signal, and end after the second."""
        if self.state.stopping:
            self.should_exit = True
        self.state.stopping = True
        self.deadline = time.monotonic() + self.grace

    async def on_tick(self, counter: int) -> bool:
        """End when all requests are answered or the grace period is over. uvicorn calls this ten times a second."""
        if self.state.stopping and (not self.state.under_way or time.monotonic() > self.deadline):
            if self.state.service:  # closing the engine answers the remaining requests with an error
                await asyncio.to_thread(self.state.service.engine.close)
            self.should_exit = True
        return await super().on_tick(counter)


async def _serve(settings: ServingSettings, folder: Path, listener: socket.socket) -> int:
    app = create_app(settings, classifies=is_classifier(folder))
    server = Server(app, settings)
    host, port = listener.getsockname()[:2]
    # A daemon thread, so that a signal during a long load does not wait for the end of the load.
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
        # Imported here, because it imports torch: that takes seconds, in which /ping must answer.
        from finetune_flows.containers.serving.loading import load

        service = load(folder, settings)
        gc.freeze()  # what is loaded stays until the end, so no request waits while it is searched for garbage
        gc.enable()
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
    lines = logging.StreamHandler(sys.stdout)  # without a format, because each line is a JSON object
    access.addHandler(lines)
    access.setLevel(logging.INFO)
    access.propagate = False


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the folder holds everything
    # OpenMP reads these when torch is imported. Threads that spin while they wait make the server ten times slower when other
    # programs run; threads that never spin make it up to twice as slow on a quiet machine. So they spin briefly.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    sys.exit(main())
