"""Resolves a branch or tag on the hub to its commit, because a branch or tag can point to other bytes tomorrow."""

import os
import re
from typing import Literal

from finetune_flows.tasks.base.errors import EnvironmentProblem

_COMMIT = re.compile(r"[0-9a-f]{40}")


def resolve_commit(
    kind: Literal["model", "dataset"], name: str, revision: str, token_variable: str = "HF_TOKEN"
) -> str:
    """The commit of `revision`. It asks the hub only when `revision` is not a commit already.

    Raises:
        EnvironmentProblem: the hub cannot be reached, or does not have this repository or revision.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=os.environ.get(token_variable) or None)
    try:
        commit: str | None = api.repo_info(name, revision=revision, repo_type=kind).sha
    except (HfHubHTTPError, OSError) as error:
        advice = "Next: to work without the hub, set the revision to a commit, or the source to a local folder"
        raise EnvironmentProblem(f"cannot look up {kind} {name}@{revision} on the hub: {error}\n  {advice}") from error
    if commit is None:
        raise EnvironmentProblem(f"the hub returned no commit for {kind} {name}@{revision}. Next: set a commit")
    return commit
