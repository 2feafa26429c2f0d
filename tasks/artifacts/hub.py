"""Hub revisions: a branch or tag becomes the commit it stands for now, so that a recipe names bytes and not a moving target."""

import os
import re
from typing import Literal

from finetune_flows.tasks.base.errors import EnvironmentProblem

_COMMIT = re.compile(r"[0-9a-f]{40}")


def resolve_commit(
    kind: Literal["model", "dataset"], name: str, revision: str, token_variable: str = "HF_TOKEN"
) -> str:
    """The commit behind `revision`; asks the hub only when it is not a commit already.

    Raises:
        EnvironmentProblem: the hub cannot be reached, or has no such repository or revision.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=os.environ.get(token_variable) or None)
    try:
        commit: str | None = api.repo_info(name, revision=revision, repo_type=kind).sha
    except (HfHubHTTPError, OSError) as error:
        advice = "give the commit itself as the revision, or a local folder as the source, to work without the hub"
        raise EnvironmentProblem(f"cannot look up {kind} {name}@{revision} on the hub: {error}\n  {advice}") from error
    if commit is None:
        raise EnvironmentProblem(f"the hub names no commit for {kind} {name}@{revision}")
    return commit
