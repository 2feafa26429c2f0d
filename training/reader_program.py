"""Reads a model folder in another environment, and writes what it read. It needs transformers, and nothing of this project.

readers.py passes this text to the other environment's interpreter: `python -I -c TEXT request.json answer.npz`. So it must
run on every version of transformers that a server may have.
"""

import json
import sys

import numpy as np
import torch
import transformers


def read(request: dict) -> dict:  # type: ignore[type-arg]  # plain, for the Python of any reader
    """Token ids of the prompts or texts, and float32 logits: [answer length, vocabulary] a prompt, or [labels] a text."""
    kinds = transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES
    with open(request["folder"] + "/config.json", encoding="utf-8") as file:
        config = json.load(file)
    if config["model_type"] not in kinds and "auto_map" not in config:
        return {"unknown": np.array(config["model_type"])}
    options = {"trust_remote_code": request["trust_remote_code"]}
    tokenizer = transformers.AutoTokenizer.from_pretrained(request["folder"], **options)
    kind = "AutoModelForSequenceClassification" if request["classifier"] else "AutoModelForCausalLM"
    # Version 5 calls it dtype, and still knows torch_dtype.
    options |= {"torch_dtype": torch.float32, "attn_implementation": "eager"}
    model = getattr(transformers, kind).from_pretrained(request["folder"], **options).eval()
    found = {}
    for number, row in enumerate(request["rows"]):
        if request["classifier"]:
            ids = read_ids = tokenizer(row["text"])["input_ids"]
        else:
            text = tokenizer.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=True)
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            read_ids = row["ids"]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([read_ids])).logits[0]
        if not request["classifier"]:
            logits = logits[-row["answer_length"] - 1 : -1]
        found[f"ids{number}"], found[f"logits{number}"] = np.array(ids), logits.float().numpy()
    return found


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        answer = read(json.load(file))
    np.savez(sys.argv[2], **answer)
