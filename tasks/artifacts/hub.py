"""Resolves a branch or tag on the hub to its commit, because a branch or tag can point to other bytes tomorrow."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from finetune_flows.tasks.base.errors import EnvironmentProblem, TryLater

# huggingface_hub has moved from httpx to its successor, which shares no class with it. Older versions come without that one.
_TRANSPORTS = [import_module(name) for name in ("httpx", "httpx2") if find_spec(name)]
_UNREACHABLE: tuple[type[Exception], ...] = tuple(library.TransportError for library in _TRANSPORTS)
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
_COMMIT = re.compile(r"[0-9a-f]{40}")


def resolve_commit(
    kind: Literal["model", "dataset"], name: str, revision: str, token_variable: str = "HF_TOKEN"
) -> str:
    """The commit of `revision`. It asks the hub only when `revision` is not a commit already.

    Raises:
        TryLater: the hub cannot be reached, or is too busy.
        EnvironmentProblem: it does not have this repository or revision, or the machine is offline on purpose.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi

    api = HfApi(token=os.environ.get(token_variable) or None)
    advice = "Next: to work without the hub, set the revision to a commit, or the source to a local folder"
    with hub_errors(f"cannot look up {kind} {name}@{revision} on the hub", advice):
        commit: str | None = api.repo_info(name, revision=revision, repo_type=kind).sha
    if commit is None:
        raise EnvironmentProblem(f"the hub returned no commit for {kind} {name}@{revision}. Next: set a commit")
    return commit


@contextmanager
def hub_errors(what: str, advice: str) -> Iterator[None]:
    """Turns errors of the hub into ours: TryLater if they pass by themselves, otherwise EnvironmentProblem with the advice."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    known: tuple[type[Exception], ...] = (HfHubHTTPError, OSError, *_UNREACHABLE)
    try:
        yield
    except known as error:
        # "not here either" is what the library says of a file that it could not download; its cause says why.
        cause = error.__cause__ or error if isinstance(error, LocalEntryNotFoundError) else error
        if _passes(cause):
            raise TryLater(
                f"{what}: {type(cause).__name__}: {cause}. Next: check the network, then run it again"
            ) from error
        raise EnvironmentProblem(f"{what}: {error}\n  {advice}") from error


def _passes(error: BaseException) -> bool:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):  # a ConnectionError, but somebody has asked for it
        return False
    if isinstance(error, HfHubHTTPError):
        return error.response is not None and error.response.status_code in _PASSING
    return isinstance(error, (*_UNREACHABLE, ConnectionError, TimeoutError))
