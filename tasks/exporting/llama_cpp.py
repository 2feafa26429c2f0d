"""Answers from a GGUF file: llama.cpp's own server, in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from finetune_flows.tasks.base.errors import EndpointFailed, EnvironmentProblem
from finetune_flows.tasks.endpoints.asking import TestRow
from finetune_flows.tasks.endpoints.connect import Connection, Http


@contextmanager
def serve(folder: Path, window: int) -> Iterator[Connection]:
    """llama.cpp's server with the GGUF file in `folder`. It answers one request at a time.

    `window`: room for prompt and answer together, in tokens.

    Raises:
        EnvironmentProblem: llama.cpp is not installed here.
        EndpointFailed: it cannot load the file.
    """
    if find_spec("xllamacpp") is None:
        raise EnvironmentProblem("llama.cpp is not installed here. Next: pip install 'finetune-flows[export]'")
    import xllamacpp

    settings = xllamacpp.CommonParams()
    (file,) = folder.glob("*.gguf")
    settings.model.path = str(file)
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.n_ctx, settings.n_parallel, settings.n_gpu_layers = window, 1, 0
    settings.cpuparams.n_threads = psutil.cpu_count(logical=False) or 1
    settings.warmup, settings.verbosity = False, 0
    # The judge reads an answer as the model wrote it, so the server must not move its reasoning to another field.
    settings.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError as error:
        raise EndpointFailed(f"llama.cpp cannot load {file.name}: {error}") from error
    try:
        yield Http(server.listening_address)
    finally:
        del server  # stops it


def prompt_ids(connection: Connection, rows: Sequence[TestRow]) -> list[list[int]]:
    """The token ids that llama.cpp makes of each row's prompt, with the chat template and tokenizer in the file."""
    with connection.client(60) as client:

        def post(route: str, body: dict[str, Any]) -> Any:
            return client.post(route, json=body).raise_for_status().json()

        texts = [post("/apply-template", {"messages": row.prompt})["prompt"] for row in rows]
        return [
            post("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"] for text in texts
        ]
