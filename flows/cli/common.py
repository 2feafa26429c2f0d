"""What the commands share: options, output, and error messages."""

import errno
import io
import json
import logging
import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import requires, version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finetune_flows.tasks.base.errors import DatasetError, FinetuneError
from finetune_flows.tasks.base.terminal import console, err

if TYPE_CHECKING:
    from finetune_flows.tasks.recipe import Recipe

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the logs of Prefect and of the job, and a full traceback.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field of the recipe. Repeat it for more fields."),
]

out = console(soft_wrap=True)


def group(help_text: str) -> typer.Typer:
    """Commands under one name. Help and usage errors are plain text: typer's other modes interpret `[...]` as markup."""
    return typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=help_text)


def show_version(wanted: bool) -> None:
    """Prints the version and ends the command, if that is what was wanted."""
    if wanted:
        out.print(f"finetune-flows {version('finetune-flows')}")
        raise typer.Exit


class _Lines(logging.Handler):
    """Prints each record of our log on one line, however narrow the terminal is: an address in it stays whole."""

    def __init__(self, debug: bool) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(f"%(asctime)s {'%(levelname)-7s ' * debug}%(message)s", "%H:%M:%S"))
        self._hidden = set() if debug else {"finetune.job"}
        if err.is_terminal:
            self._hidden.add("finetune.progress")  # the live area shows it

    def emit(self, record: logging.LogRecord) -> None:
        if record.name not in self._hidden:
            err.print(self.format(record), style="yellow" if record.levelno >= logging.WARNING else None)


def set_up_logging(debug: bool, doing: str | None = None) -> None:
    """Sends our log to stderr, and Prefect's and the job's too with --debug. The Prefect UI gets all of them.

    `doing`: the first line, shown before the seconds that importing Prefect takes.
    """
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if debug else "CRITICAL")
    # A server that is started for one run sends no usage statistics, and does not end late to write its telemetry.
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ["FINETUNE_DEBUG"] = "1" if debug else ""
    handler = _Lines(debug)
    logger = logging.getLogger("finetune")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.INFO)
    logger.propagate = False  # Prefect's console handler on the root logger would print each line again
    if doing:
        logger.info(doing)


def use_prefect() -> None:
    """Connects to the Prefect server that is configured, or to one of ours. Call it before a flow is imported.

    Raises:
        EnvironmentProblem: the server does not answer or does not start.
    """
    from finetune_flows.flows.prefect_server import use_prefect_server

    use_prefect_server()


def read_recipe(path: Path, overrides: list[str] | None, platform: str | None = None) -> "Recipe":
    """The recipe to run, on `platform` if one is given, else on its own.

    Raises:
        RecipeError: all problems of the recipe together, missing sources included.
    """
    from finetune_flows.tasks.preflight.sources import SOURCE_CHECKS
    from finetune_flows.tasks.recipe import load_recipe

    chosen = [f"platform.kind={platform}"] if platform else []
    return load_recipe(path, [*chosen, *(overrides or [])], SOURCE_CHECKS)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def _extra_with(module: str) -> str | None:
    """The extra of ours that installs a module; None if no extra does."""
    package = {"botocore": "boto3"}.get(module.split(".")[0], module.split(".")[0])
    for line in requires("finetune-flows") or []:
        found = re.match(rf"{re.escape(package)}\b.*extra == ['\"]([a-z]+)", line, re.IGNORECASE)
        if found and found[1] != "dev":
            return found[1]
    return None


_FULL_OR_FORBIDDEN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_WRONG_PATH = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)


def _room() -> str:
    """What is free where our files are."""
    from finetune_flows.tasks.base.files import home

    try:
        return f". {home()} (FINETUNE_HOME) has {shutil.disk_usage(home()).free / 1e9:.1f} GB free"
    except OSError:
        return f". {home()} (FINETUNE_HOME) does not exist"


def _next(error: Exception) -> str:
    """The command that shows what is wrong with the rows of a recipe."""
    command, *arguments = sys.argv[1:] or [""]
    recipe = next((each for each in arguments if each.endswith((".yaml", ".yml"))), None)
    if not isinstance(error, DatasetError) or command == "data" or recipe is None:
        return ""
    overrides = [part for pair in pairwise(arguments) if pair[0] == "--set" for part in pair]
    return f"\n  Next: {shlex.join(['finetune', 'data', 'check', recipe, *overrides])}"


def _is_of_prefects_server(error: Exception) -> bool:
    """Whether a request to the Prefect server failed, because it ended or cannot be reached."""
    import httpx

    url = os.environ.get("PREFECT_API_URL")
    if not url or not isinstance(error, httpx.TransportError):
        return False
    with suppress(RuntimeError):  # httpx's answer if the error belongs to no request
        return str(error.request.url).startswith(url)
    return False


class Stopped(SystemExit):
    """Ctrl-C or SIGTERM. Not KeyboardInterrupt, which typer turns into the word Aborted and exit code 1."""


def _stop(number: int, _: object) -> None:
    signal.signal(signal.SIGINT, _leave)
    err.print("finetune: stopping (Ctrl-C again leaves at once)")
    raise Stopped(128 + number)


def _leave(number: int, _: object) -> None:
    err.show_cursor(True)  # the live area hides it
    os._exit(128 + number)


def guarded(command: Callable[[], Any]) -> None:
    """Runs `command`. A FinetuneError becomes one message; any other error is a bug and keeps its traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a row or a path may hold what the terminal cannot show
    try:
        command()
    except FinetuneError as error:
        if os.environ.get("FINETUNE_DEBUG"):
            raise
        err.print(f"finetune: {error}{_next(error)}", style="bold red")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        extra = _extra_with(error.name or "")
        if extra is None or os.environ.get("FINETUNE_DEBUG"):
            raise
        err.print(f"finetune: this needs {error.name}. Next: pip install 'finetune-flows[{extra}]'", style="bold red")
        sys.exit(1)
    except OSError as error:
        if error.errno not in (*_FULL_OR_FORBIDDEN, *_WRONG_PATH) or os.environ.get("FINETUNE_DEBUG"):
            raise
        room = _room() if error.errno in _FULL_OR_FORBIDDEN else ""
        err.print(f"finetune: {error.filename or 'a file'} cannot be written: {error.strerror}{room}", style="bold red")
        sys.exit(1)
    except Exception as error:
        if not _is_of_prefects_server(error) or os.environ.get("FINETUNE_DEBUG"):
            raise
        err.print(
            f"finetune: the Prefect server at {os.environ['PREFECT_API_URL']} does not answer any more ({error}). What was "
            "finished is kept; to carry on, run the same command again",
            style="bold red",
        )
        sys.exit(1)
    except Stopped as stopped:
        err.print(
            f"finetune: stopped. What was finished is kept. To carry on: {shlex.join(['finetune', *sys.argv[1:]])}"
        )
        sys.exit(stopped.code)
