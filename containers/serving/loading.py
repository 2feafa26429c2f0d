"""Put the service together from a model folder. Importing this imports torch."""

import time
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import logging

from containers.serving.prompts import Prompts
from containers.serving.service import Service
from containers.serving.settings import ServingSettings
from containers.serving.transformers_engine import TransformersEngine, UnsupportedModel


def load_service(folder: Path, settings: ServingSettings) -> Service:
    """Load tokenizer and model. Raises UnsupportedModel, or what transformers says of a bad folder."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if not tokenizer.is_fast:
        raise UnsupportedModel(f"{folder} has no tokenizer.json, from which this server makes its text")
    engine = TransformersEngine.load(folder, settings)
    window = min(settings.max_model_length, engine.longest)
    return Service(folder.name, engine, Prompts(tokenizer, window), started=int(time.time()))
