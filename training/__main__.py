"""The training program.

python -m finetune_flows.training                      inside a container: train by the contract under /opt/ml
python -m finetune_flows.training train --root DIR     the same under another root (training/contract.py says what lies where)
python -m finetune_flows.training train --dataset DIR --model DIR --output DIR --set epochs=1 --set batch_size=8
                                        on plain folders: Parquet files in, a model out, no platform
python -m finetune_flows.training stage --source model.gguf --output DIR [--chat-template chatml]
                                        make a base model that `train` reads
"""

import argparse
import logging
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path

from finetune_flows.training import launch
from finetune_flows.training.contract import Folders, Hosts, read_settings
from finetune_flows.training.problems import TrainingProblem, describe, write_failure
from finetune_flows.training.stopping import Stopped, StopRequest

CONTAINER_ROOT = Path("/opt/ml")


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments or ["train"])
    # A job has no network by contract: nothing may wait for the hub, or tell it anything.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Nothing here is compiled, and without this bitsandbytes loads the whole compiler when it is imported (2 s).
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
    train.add_argument("--root", type=Path, default=CONTAINER_ROOT, help="root of the job's folders")
    train.add_argument("--dataset", type=Path, help="folder with train.parquet and validation.parquet")
    train.add_argument("--model", type=Path, help="folder of the base model")
    train.add_argument("--output", type=Path, help="folder for everything that is made")
    train.add_argument("--adapter", type=Path, help="folder of the LoRA adapter to go on from; default: a new one")
    train.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a training setting")
    stage = commands.add_parser("stage", help="make a base model folder with safetensors and a chat template")
    stage.add_argument("--source", type=Path, required=True, help="a GGUF file, or a folder in Hugging Face format")
    stage.add_argument("--output", type=Path, required=True)
    stage.add_argument("--chat-template", help="a Jinja file, or 'chatml'")
    return parser


def _folders(options: argparse.Namespace) -> Folders:
    given = [options.dataset, options.model, options.output]
    if not any(given):
        return Folders.of_job(options.root)
    if not all(given):
        sys.exit("--dataset, --model and --output belong together")
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
            if settings.processes == 1:  # otherwise PyTorch shows all GPUs, which TRL refuses in a single process
                os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
            _quieten()
            from finetune_flows.training.run import run

            run(folders, settings, stop)
    except Stopped:
        print("stopped: a restart goes on from the last checkpoint", flush=True)
    return 0


def _quieten() -> None:
    """No progress bars and no library news in the log of a job: its lines are read by programs."""
    warnings.simplefilter("ignore", FutureWarning)
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    # An optional hub kernel that a job without a network cannot have.
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
    # Python gives signals back to the system while it ends: a second SIGTERM would turn a good end into a bad one.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(code)
