"""Reads a model folder in another environment, and writes what it read. It needs nothing of this project.

readers.py passes this text to the other environment's interpreter: `python -I -c TEXT request.json answer.npz`. So it must
run on every version of transformers that a server may have.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Token ids of the prompts or texts, and float32 logits, as arrays `ids0`, `logits0`, `ids1` and so on.

    Logits are [answer length, vocabulary] for a prompt ([answer length] from vLLM: of the answer's own tokens), and
    [labels] for a text. `skipped` instead: why this reader cannot read such a model.
    """
    import transformers

    kinds = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    with open(request["folder"] + "/config.json", encoding="utf-8") as file:
        config = json.load(file)
    if config["model_type"] not in kinds and "auto_map" not in config:
        return {"skipped": np.array(f"it does not know models of type {config['model_type']}")}
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        request["folder"], trust_remote_code=request["trust_remote_code"]
    )
    if request["engine"] == "llama.cpp":
        return by_llama_cpp(request, tokenizer)
    found = {f"ids{number}": np.array(token_ids(tokenizer, row)) for number, row in enumerate(request["rows"])}
    logits = by_vllm if request["engine"] == "vllm" else by_transformers
    return {**found, **{f"logits{number}": each for number, each in enumerate(logits(request, found))}}


def token_ids(tokenizer: Any, row: dict[str, Any]) -> Any:
    """Ids of a text to classify, or of the prompt that the chat template makes of messages."""
    if "text" in row:
        return tokenizer(row["text"])["input_ids"]
    return tokenizer(rendered(tokenizer, row), add_special_tokens=False)["input_ids"]


def rendered(tokenizer: Any, row: dict[str, Any]) -> Any:
    """The text that the chat template makes of messages."""
    return tokenizer.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=True)


def by_transformers(request: dict[str, Any], found: dict[str, Any]) -> Iterator[Any]:
    """Logits of each row."""
    import torch
    import transformers

    kind = "AutoModelForSequenceClassification" if request["classifier"] else "AutoModelForCausalLM"
    # Version 5 calls it dtype, and still knows torch_dtype.
    options = {"torch_dtype": torch.float32, "attn_implementation": "eager"}
    model = getattr(transformers, kind).from_pretrained(
        request["folder"], trust_remote_code=request["trust_remote_code"], **options
    )
    for number, row in enumerate(request["rows"]):
        ids = found[f"ids{number}"].tolist() if request["classifier"] else row["ids"]
        with torch.inference_mode():
            logits = model.eval()(input_ids=torch.tensor([ids])).logits[0]
        yield (logits if request["classifier"] else logits[-row["answer_length"] - 1 : -1]).float().numpy()


def by_vllm(request: dict[str, Any], found: dict[str, Any]) -> Iterator[Any]:
    """Logits of the answers' tokens: all of the vocabulary would take minutes, as vLLM returns them one by one."""
    # One process, no pinned cores, and as little memory for keys and values as vLLM takes: 1 GiB.
    os.environ.update(
        VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_CPU_OMP_THREADS_BIND="nobind", VLLM_CPU_KVCACHE_SPACE="1"
    )
    from vllm import LLM, SamplingParams

    model = LLM(
        request["folder"],
        dtype="float32",
        enforce_eager=True,
        logprobs_mode="raw_logits",
        max_model_len=max(len(row["ids"]) for row in request["rows"]) + 1,
        trust_remote_code=request["trust_remote_code"],
    )
    ask = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=0)
    for row in request["rows"]:
        (answer,) = model.generate([{"prompt_token_ids": row["ids"]}], ask)
        places = range(len(row["ids"]) - row["answer_length"], len(row["ids"]))
        yield np.array([answer.prompt_logprobs[place][row["ids"][place]].logprob for place in places], dtype=np.float32)


def by_llama_cpp(request: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """Ids by llama.cpp's tokenizer, and logits, from a file that llama.cpp's converter writes."""
    import llama_cpp

    rows = request["rows"]
    with tempfile.TemporaryDirectory() as folder:
        file = folder + "/model.gguf"
        command = [sys.executable, "-I", "-m", "convert_hf_to_gguf", request["folder"], "--outtype", "f32"]
        converted = subprocess.run([*command, "--outfile", file], capture_output=True, text=True, check=False)
        if converted.returncode:
            why = (converted.stderr.strip().splitlines() or ["no message"])[-1]
            return {"skipped": np.array(f"its converter refuses the model: {why[:300]}")}
        longest = max(len(row["ids"]) for row in rows)
        # The cache in float32: its own default of 16 bits would change logits by some hundredths.
        exact = {"type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32, "flash_attn": False}
        model = llama_cpp.Llama(
            file, logits_all=True, n_ctx=longest + 1, n_batch=longest, n_gpu_layers=0, verbose=False, **exact
        )
        found = {}
        for number, row in enumerate(rows):
            text = rendered(tokenizer, row).encode()
            found[f"ids{number}"] = np.array(model.tokenize(text, add_bos=False, special=True))
            model.reset()
            model.eval(row["ids"])
            end = len(row["ids"]) - 1
            found[f"logits{number}"] = np.array(model.scores[end - row["answer_length"] : end], dtype=np.float32)
        model.close()
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        answer = read(json.load(file))
    np.savez(sys.argv[2], **answer)
