"""The training program.

python -m finetune_flows.training                      in a container: train with the folders under /opt/ml
python -m finetune_flows.training train --root DIR     the same under another root (training/contract.py lists the folders)
python -m finetune_flows.training train --dataset DIR --model DIR --output DIR --set epochs=1 --set batch_size=8
                                        train without a platform, on folders that you name
python -m finetune_flows.training stage --source model.gguf --output DIR [--chat-template chatml]
                                        convert a model to the format that `train` reads
"""

import argparse
import gc
import logging
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

from finetune_flows.training import launch
from finetune_flows.training.contract import Folders, Hosts, read_settings
from finetune_flows.training.imports import without_collection
from finetune_flows.training.problems import TrainingProblem, describe, write_failure
from finetune_flows.training.stopping import Stopped, StopRequest

CONTAINER_ROOT = Path("/opt/ml")


def main(arguments: list[str]) -> int:
    """Run a command and return the exit code."""
    options = _parser().parse_args(arguments or ["train"])
    # A job may have no network, so nothing may wait for the hub or send it anything.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Without this, bitsandbytes loads the whole compiler on import (2 s), and nothing here is compiled.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    if options.command == "stage":
        return _stage(options)
    folders = _folders(options)
    try:
        return _train(options, folders, arguments)
    except Exception as error:
        return _fail(error, folders)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "finetune_flows.training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train a model")
    train.add_argument("--root", type=Path, default=CONTAINER_ROOT, help="root of the job's folders (default: /opt/ml)")
    train.add_argument("--dataset", type=Path, help="folder with train.parquet and validation.parquet")
    train.add_argument("--model", type=Path, help="folder of the base model")
    train.add_argument("--output", type=Path, help="folder for the model and everything else that the job writes")
    train.add_argument(
        "--adapter", type=Path, help="folder of a LoRA adapter to continue from (default: a new adapter)"
    )
    train.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a training setting")
    stage = commands.add_parser("stage", help="create a base model folder with safetensors and a chat template")
    stage.add_argument("--source", type=Path, required=True, help="a GGUF file, or a folder in Hugging Face format")
    stage.add_argument("--output", type=Path, required=True, help="folder for the base model")
    stage.add_argument("--chat-template", help="a Jinja file, or 'chatml'")
    return parser


def _folders(options: argparse.Namespace) -> Folders:
    given = [options.dataset, options.model, options.output]
    if not any(given):
        return Folders.of_job(options.root)
    if not all(given):
        sys.exit("--dataset, --model and --output must be given together")
    return Folders.by_hand(options.dataset, options.model, options.output, options.adapter)


def _train(options: argparse.Namespace, folders: Folders, arguments: list[str]) -> int:
    stop = StopRequest()
    stop.listen()
    if not launch.is_worker():
        (folders.output / "failure").unlink(missing_ok=True)
    by_contract = options.dataset is None
    hyperparameters = options.root / "input" / "config" / "hyperparameters.json" if by_contract else None
    settings = read_settings(hyperparameters, options.set)
    try:
        hosts = Hosts.of_job(options.root) if by_contract else Hosts()
        if settings.processes * len(hosts.names) > 1 and not launch.is_worker():
            launch.launch(settings.processes, arguments or ["train"], hosts)
        else:
            if settings.processes == 1:  # a single process must see one GPU only: TRL refuses several
                os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
            with without_collection():
                _quieten()
                from finetune_flows.training.run import run
            gc.freeze()  # the trainer asks for full collections, which need not search what the libraries hold

            run(folders, settings, stop)
    except Stopped:
        print("stopped: a restart continues from the last checkpoint", flush=True)
    return 0


def _quieten() -> None:
    """Keep progress bars and library news out of the log of a job, because programs read its lines."""
    warnings.simplefilter("ignore", FutureWarning)
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    # bitsandbytes warns about an optional kernel from the hub, which a job without a network cannot download.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.CRITICAL)


def _fail(error: Exception, folders: Folders) -> int:
    reason = describe(error)
    write_failure(folders.output, reason)
    if not isinstance(error, TrainingProblem):
        traceback.print_exception(error)
    print(reason, file=sys.stderr, flush=True)
    return 1


def _stage(options: argparse.Namespace) -> int:
    _quieten()
    from finetune_flows.training.stage import stage

    try:
        stage(options.source, options.output, options.chat_template)
    except TrainingProblem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # Python restores the system's signal handlers while it exits: a second SIGTERM would then turn success into failure.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(code)
