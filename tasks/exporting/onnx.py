"""ONNX: language models by ONNX Runtime's own model builder, classifiers by torch's exporter."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from finetune_flows.tasks.base.programs import child_environment, program
from finetune_flows.tasks.endpoints.connect import Connection
from finetune_flows.tasks.exporting import servers
from finetune_flows.tasks.exporting.subject import Subject
from finetune_flows.tasks.exporting.tools import Tool, run

BUILDER = Tool("onnxruntime_genai", ("onnxruntime-genai==0.18.0",))
"""Builds the graph of a language model, with its cache of keys and values, and runs it."""
_PRECISIONS = {"int8": "int8", "f32": "fp32", "int4": "int4"}
"""The builder's names of number types. Its fp16 is for GPUs: ONNX Runtime does not run that graph on a CPU."""
_OF_CLASSIFIERS = {"f32": "onnx", "int8": "onnx-int8"}

prompt_ids = servers.prompt_ids


def number_types(subject: Subject) -> Sequence[str]:
    """The default first."""
    return tuple(_PRECISIONS if subject.generates else _OF_CLASSIFIERS)


def write(subject: Subject, folder: Path, kind: str) -> list[str]:
    """Writes `model.onnx` with tokenizer and settings.

    Raises:
        EnvironmentProblem: the builder is missing, or does not know this kind of model.
    """
    failure = f"{subject.name} cannot be written as ONNX"
    weights = str(subject.weights.absolute())
    if not subject.generates:
        for file in subject.weights.iterdir():
            if file.is_file() and not file.name.startswith("model."):
                shutil.copyfile(file, folder / file.name)
        command = program("training.compilation", weights, str(folder.absolute()), _OF_CLASSIFIERS[kind])
        run(command, failure, child_environment())
        return []
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-P", "-m", "onnxruntime_genai.models.builder", "-i", weights]
        command += ["-o", str(folder.absolute()), "-p", _PRECISIONS[kind], "-e", "cpu", "-c", temporary]
        run(command, failure, BUILDER.environment())
    return []


@contextmanager
def serve(subject: Subject, folder: Path, window: int) -> Iterator[Connection]:
    """A server on ONNX Runtime. Raises EndpointFailed when it does not start."""
    if subject.generates:
        command = program("containers.serving.genai", str(folder.absolute()), str(window))
        server = servers.started(command, BUILDER.environment())
    else:
        server = servers.our_server(folder, window, child_environment())
    with server as connection:
        yield connection
