"""Other ways to answer the same questions. Stands alone, because each runs in the environment of its own package.

    python serving_peers.py {generate,vllm,llama} MODEL NEW_TOKENS < conversations.json > result.json

`generate`: transformers' own, one question after the other. `vllm`: its offline engine, 32 at once. `llama`: llama-cpp-python with a GGUF
file, one after the other. All greedy, float32 where they can, with the same prompts under the model's own chat template.
"""

import json
import os
import sys
import time
from typing import Any

Answers = list[dict[str, Any]]


def main() -> None:
    """Read conversations, write answers and what they took."""
    answer = {"generate": generate, "vllm": vllm, "llama": llama}[sys.argv[1]]
    result = answer(sys.argv[2], json.load(sys.stdin), int(sys.argv[3]))
    print("\n" + json.dumps(result))


def generate(model: str, asked: list[Any], new_tokens: int) -> dict[str, Any]:
    """The usual loop."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()

    def one(messages: Any) -> tuple[str, int]:
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        output = network.generate(**inputs, do_sample=False, max_new_tokens=new_tokens)
        tokens = output[0, inputs["input_ids"].shape[1] :]
        return tokenizer.decode(tokens, skip_special_tokens=True), len(tokens)

    return one_by_one(one, asked)


def vllm(model: str, asked: list[Any], new_tokens: int) -> dict[str, Any]:
    """All at once, 32 in a batch. The seconds of an answer are those of the whole."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", ",".join(map(str, sorted(os.sched_getaffinity(0)))))
    from vllm import LLM, SamplingParams

    llm = LLM(model, dtype="float32", enforce_eager=True, max_model_len=2048, max_num_seqs=32)
    greedy = SamplingParams(temperature=0, max_tokens=new_tokens)
    llm.chat(asked[:1], SamplingParams(temperature=0, max_tokens=2), use_tqdm=False)
    started, cpu = time.monotonic(), cpu_seconds()
    outputs = llm.chat(asked, greedy, use_tqdm=False)
    seconds = time.monotonic() - started
    answers = [{"text": o.outputs[0].text, "tokens": len(o.outputs[0].token_ids), "seconds": seconds} for o in outputs]
    return {"answers": answers, "seconds": seconds, "cpu_seconds": cpu_seconds() - cpu}


def llama(model: str, asked: list[Any], new_tokens: int) -> dict[str, Any]:
    """With the chat template that the GGUF file carries."""
    from llama_cpp import Llama

    network = Llama(model, n_ctx=2048, n_threads=len(os.sched_getaffinity(0)), verbose=False)

    def one(messages: Any) -> tuple[str, int]:
        reply = network.create_chat_completion(messages, temperature=0, max_tokens=new_tokens)
        return reply["choices"][0]["message"]["content"], reply["usage"]["completion_tokens"]

    return one_by_one(one, asked)


def one_by_one(one: Any, asked: list[Any]) -> dict[str, Any]:
    """Each question after the answer to the one before."""
    one(asked[-1])
    answers: Answers = []
    began, cpu = time.monotonic(), cpu_seconds()
    for messages in asked:
        started = time.monotonic()
        text, tokens = one(messages)
        answers.append({"text": text, "tokens": tokens, "seconds": time.monotonic() - started})
    return {"answers": answers, "seconds": time.monotonic() - began, "cpu_seconds": cpu_seconds() - cpu}


def cpu_seconds() -> float:
    """Of this process and of those it has started."""
    import psutil

    me = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in [me, *me.children(recursive=True)])


if __name__ == "__main__":
    main()
