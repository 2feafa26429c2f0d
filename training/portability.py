"""Checks that the saved model means the same in another environment: same token ids, same logits.

Servers and converters are often built on an older transformers, which may read a folder without a message and answer
differently. The check reads the folder there, with the prompts of the other checks. It computes in float32 on the CPU on
both sides: rounding in 16 bits would hide small differences.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from finetune_flows.training.checks import Probe, answer_logits
from finetune_flows.training.job import Job
from finetune_flows.training.model import load_base, load_plain_tokenizer
from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.readers import VARIABLE, Reader, ReaderFailed, ask, find_readers

TOLERANCE = 1e-3
"""Largest difference of a logit that two implementations in float32 may have."""
_ROOM = 1.3  # memory for a model, as a multiple of its weights


def check_prompts_elsewhere(job: Job, asked: Sequence[Probe]) -> list[dict[str, Any]]:
    """Ask every reader for the prompts of a language model. Returns what each found, for training.json.

    Raises TrainingProblem when a reader reads other token ids, or logits that differ by more than TOLERANCE.
    """
    rows = [{"messages": each.messages, "ids": each.ids, "answer_length": each.answer_length} for each in asked]

    def expected() -> list[tuple[list[int], torch.Tensor]]:
        model = _load(job)
        return [(each.prompt, answer_logits(model, each)) for each in asked]

    return _check(job, rows, expected)


def check_texts_elsewhere(job: Job, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Ask every reader for the texts of a classifier, as `check_prompts_elsewhere` does for prompts."""

    @torch.inference_mode()
    def expected() -> list[tuple[list[int], torch.Tensor]]:
        model = _load(job)
        ids = load_plain_tokenizer(job.folders.merged, job.settings.trust_remote_code)(list(texts))["input_ids"]
        return [(each, model(input_ids=torch.tensor([each])).logits[0].float()) for each in ids]

    return _check(job, [{"text": text} for text in texts], expected)


def _load(job: Job) -> Any:
    trust = job.settings.trust_remote_code
    return load_base(
        job.folders.merged, "float32", attention="eager", task=job.task, trust_remote_code=trust, device_map="cpu"
    ).eval()


def _check(job: Job, rows: list[dict[str, Any]], expected: Any) -> list[dict[str, Any]]:
    # vLLM's classes for classifying return no logits, and llama.cpp's converter knows no classifiers.
    readers = [each for each in find_readers() if each.engine == "transformers" or not job.task.is_classifier]
    if not readers:
        print(f"not read in another environment, because {VARIABLE} names no interpreter", flush=True)
        return []
    needed, free = _memory_needed(job.folders.merged), psutil.virtual_memory().available
    if needed > free:
        reason = f"it needs {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free"
        return [{"reader": reader.name, "skipped": reason} for reader in readers]
    wanted = expected()
    request = {
        "folder": str(job.folders.merged),
        "classifier": job.task.is_classifier,
        "trust_remote_code": job.settings.trust_remote_code,
        "rows": rows,
    }
    found = [_compare(reader, request, wanted) for reader in readers]
    for each in found:
        print(f"read by {each['reader']}: {each.get('skipped') or each['largest_difference']}", flush=True)
    return found


def _memory_needed(folder: Path) -> int:
    """Bytes of a reader that holds the model in float32: its parameters have 2 or 4 bytes in the files."""
    from safetensors import safe_open

    count = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            count += sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118
    return int(count * 4 * _ROOM)


def _compare(
    reader: Reader, request: dict[str, Any], wanted: Sequence[tuple[list[int], torch.Tensor]]
) -> dict[str, Any]:
    if reader.version is None:
        return {"reader": reader.name, "skipped": reader.problem}
    try:
        read = ask(reader, request)
    except ReaderFailed as error:
        raise TrainingProblem(f"{reader.name} ({reader.python}) cannot read the saved model: {error}") from error
    if "skipped" in read:
        return {"reader": reader.name, "skipped": str(read["skipped"])}
    if any(read[f"ids{number}"].tolist() != ids for number, (ids, _) in enumerate(wanted)):
        raise TrainingProblem(f"{reader.name} ({reader.python}) makes other token ids of a prompt than the trainer")
    largest = max(
        _difference(torch.from_numpy(read[f"logits{number}"]), logits, request["rows"][number])
        for number, (_, logits) in enumerate(wanted)
    )
    if not largest <= TOLERANCE:
        raise TrainingProblem(
            f"{reader.name} ({reader.python}) reads the saved model differently: a logit differs by {largest:.4g}, and "
            f"rounding explains at most {TOLERANCE:g}. A server with that version would give other answers"
        )
    return {"reader": reader.name, "same_ids": True, "largest_difference": largest}


def _difference(read: torch.Tensor, trained: torch.Tensor, row: dict[str, Any]) -> float:
    """The largest difference of a logit. A reader may return only those of the answer's own tokens."""
    if read.dim() < trained.dim():
        trained = trained.gather(-1, torch.tensor(row["ids"][-len(read) :])[:, None])[:, 0]
    return float((read - trained).abs().max())
