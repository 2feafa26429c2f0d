"""Checks that the saved model is the one that was trained. A model is complete only after these checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from finetune_flows.training.data import Rows, stop_tokens
from finetune_flows.training.masks import Conversation, Tools, answer_length, prompt_ids
from finetune_flows.training.problems import TrainingProblem

PROBES = 4
SPARE_TOKENS = 8  # beyond the longest right answer
TOLERANCE = {"float32": 1e-4, "bfloat16": 2e-2, "float16": 5e-3}
"""Largest mean divergence of the saved from the trained model that rounding explains, in nats per answer token."""


@dataclass(frozen=True)
class Probe:
    """A row that the model answers before and after it is saved."""

    messages: Conversation
    ids: list[int]
    answer_length: int
    tools: Tools = None

    @property
    def prompt(self) -> list[int]:
        """Token ids of the prompt."""
        return self.ids[: len(self.ids) - self.answer_length]


def probes(rows: Rows, count: int) -> list[Probe]:
    """The first `count` rows. The splits are stored shuffled, so they are a random sample."""
    chosen = rows.tokens.select(range(min(count, len(rows))))
    tools = rows.tools or [None] * len(rows)
    return [
        Probe(messages, row["input_ids"], answer_length(row["labels"]), offered)
        for messages, row, offered in zip(rows.prompts, chosen, tools, strict=False)
    ]


@torch.inference_mode()
def answer_logits(model: PreTrainedModel, probe: Probe) -> torch.Tensor:
    """Logits that predict each token of the answer: float32 on the CPU, [answer length, vocabulary]."""
    ids = torch.tensor([probe.ids], device=model.device)
    logits: torch.Tensor = model(input_ids=ids, use_cache=False, logits_to_keep=probe.answer_length + 1).logits
    return logits[0, -probe.answer_length - 1 : -1].float().cpu()


def answer_loss(model: PreTrainedModel, rows: Sequence[Probe], keep: int = 0) -> tuple[float, list[torch.Tensor]]:
    """Mean negative log-likelihood of the answers, in nats per token, and the logits of the first `keep` rows."""
    total, count = 0.0, 0
    kept: list[torch.Tensor] = []
    for row in rows:
        logits = answer_logits(model, row)
        total += float(cross_entropy(logits, torch.tensor(row.ids[-row.answer_length :]), reduction="sum"))
        count += row.answer_length
        if len(kept) < keep:
            kept.append(logits)
    return total / count, kept


def check_agreement(
    model: PreTrainedModel, asked: Sequence[Probe], references: Sequence[torch.Tensor], dtype: str
) -> dict[str, Any]:
    """Compare `model` with the logits of the trained model. Raises TrainingProblem when they diverge beyond rounding."""
    saved = torch.cat([answer_logits(model, probe) for probe in asked])
    trained = torch.cat(list(references))
    divergence = float(kl_div(log_softmax(saved, -1), log_softmax(trained, -1), log_target=True, reduction="batchmean"))
    same = float((saved.argmax(-1) == trained.argmax(-1)).float().mean())
    if not divergence <= TOLERANCE[dtype]:
        raise TrainingProblem(
            f"The saved model does not answer as the trained one: they diverge by {divergence:.4g} nats per token, and "
            f"rounding in {dtype} explains at most {TOLERANCE[dtype]:.4g}. Merging or saving damaged its weights."
        )
    return {"divergence_nats": divergence, "tolerance_nats": TOLERANCE[dtype], "same_next_token": same}


def check_prompts(tokenizer: PreTrainedTokenizerBase, asked: Sequence[Probe]) -> dict[str, Any]:
    """Check that the saved tokenizer renders prompts as in training, with exactly one BOS token if the model uses one."""
    rendered = prompt_ids(tokenizer, [probe.messages for probe in asked], [probe.tools for probe in asked])
    for probe, ids in zip(asked, rendered, strict=True):
        if ids != probe.prompt:
            raise TrainingProblem("The saved tokenizer renders a prompt differently than in training.")
    bos = tokenizer.bos_token_id
    adds_bos = bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
    leading = [_leading(probe.prompt, bos) for probe in asked]
    if any(count > 1 or (adds_bos and count == 0) for count in leading):
        raise TrainingProblem(
            f"Prompts begin with {max(leading)} BOS tokens instead of one: the chat template and the tokenizer disagree."
        )
    return {"same_prompt_ids": True, "leading_bos": max(leading)}


def _leading(ids: Sequence[int], token: int | None) -> int:
    count = 0
    while token is not None and count < len(ids) and ids[count] == token:
        count += 1
    return count


def check_files(folder: Path) -> dict[str, Any]:
    """Check that `folder` holds weights as safetensors and no pickled weights."""
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.pkl") for path in folder.glob(pattern))
    if pickled or not list(folder.glob("*.safetensors")):
        raise TrainingProblem(f"{folder} must hold weights as safetensors only; found {', '.join(pickled) or 'none'}")
    return {"safetensors_only": True}


@torch.inference_mode()
def greedy_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Probe]
) -> list[list[int]]:
    """Token ids of the greedy answers, each with its end token if it ended within the limit.

    The limit is the longest right answer plus SPARE_TOKENS, because an untrained model would never stop.
    """
    padded = tokenizer.pad({"input_ids": [probe.prompt for probe in asked]}, padding_side="left", return_tensors="pt")
    stops = sorted(stop_tokens(tokenizer, model.generation_config))
    generated = model.generate(
        **padded.to(model.device),
        do_sample=False,
        num_beams=1,
        max_new_tokens=max(probe.answer_length for probe in asked) + SPARE_TOKENS,
        eos_token_id=stops,
        pad_token_id=tokenizer.pad_token_id,
    )
    return [_until(row, stops) for row in generated[:, padded["input_ids"].shape[1] :].tolist()]


def _until(ids: list[int], stops: Sequence[int]) -> list[int]:
    """`ids` up to and including the first stop token; all of them when there is none."""
    for position, token in enumerate(ids):
        if token in stops:
            return ids[: position + 1]
    return ids
