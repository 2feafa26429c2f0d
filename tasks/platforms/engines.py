"""Turns a recipe's `serving` section into the variables or arguments of each serving engine. No other file does.

For every engine the model is in /opt/ml/model, the server listens on port 8080, and the model's name is `model`.
"""

from typing import Literal

from finetune_flows.tasks.sections.stages import ServingSection

Engine = Literal["finetune-flows", "vllm", "tgi", "djl-lmi"]
MODEL = "/opt/ml/model"
PORT = 8080
_OWN = ("engine", "dtype", "max_batch_size", "max_queue", "request_seconds", "prefix_megabytes", "max_model_length")
_PREFIX: dict[Engine, str] = {"finetune-flows": "SERVING_", "vllm": "SM_VLLM_", "djl-lmi": "OPTION_", "tgi": ""}


def environment(engine: Engine, serving: ServingSection, gpus: int = 1) -> dict[str, str]:
    """Variables for our own server (in a container or as a process), or for AWS's image of another engine.

    `gpus` is the number of GPUs that share the model.
    """
    options = _options(engine, serving)
    # TGI and DJL-LMI use all GPUs by themselves; vLLM uses one unless it is set.
    if engine == "vllm" and gpus > 1:
        options["TENSOR_PARALLEL_SIZE"] = str(gpus)
    variables = {_PREFIX[engine] + name: value for name, value in options.items()}
    if engine == "tgi":
        return variables | {"HF_MODEL_ID": variables.pop("MODEL_ID"), "MESSAGES_API_ENABLED": "true"}
    return variables | ({"HF_MODEL_ID": MODEL} if engine == "djl-lmi" else {})


def arguments(engine: Literal["vllm", "tgi"], serving: ServingSection) -> list[str]:
    """The command line for the engine's public image."""
    host = {"vllm": "HOST", "tgi": "HOSTNAME"}[engine]
    options = _options(engine, serving) | {host: "0.0.0.0", "PORT": str(PORT)}
    return [part for name, value in options.items() for part in (f"--{name.lower().replace('_', '-')}", value)]


def _options(engine: Engine, serving: ServingSection) -> dict[str, str]:
    """The settings under the engine's own names."""
    length, batch, dtype = str(serving.max_model_length), str(serving.max_batch_size), serving.dtype
    if engine == "vllm":
        names = {"MODEL": MODEL, "SERVED_MODEL_NAME": "model"}
        return names | {"DTYPE": dtype, "MAX_MODEL_LEN": length, "MAX_NUM_SEQS": batch}
    if engine == "tgi":
        kind = {} if dtype == "auto" else {"DTYPE": dtype}  # TGI has no value `auto`: it chooses if DTYPE is absent
        limits = {"MAX_TOTAL_TOKENS": length, "MAX_INPUT_TOKENS": str(serving.max_model_length - 1)}
        return {"MODEL_ID": MODEL, **kind, **limits, "MAX_CONCURRENT_REQUESTS": batch}
    if engine == "djl-lmi":
        return {"ROLLING_BATCH": "vllm", "DTYPE": dtype, "MAX_MODEL_LEN": length, "MAX_ROLLING_BATCH_SIZE": batch}
    capture = {"CAPTURE": str(serving.capture)} if serving.capture else {}
    return {name.upper(): str(getattr(serving, name)) for name in _OWN} | capture
