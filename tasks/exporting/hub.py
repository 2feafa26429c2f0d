"""Push: a model and its card into a repository on the Hugging Face hub, as one commit."""

import os
from pathlib import Path

import httpx
from pydantic import Field

from finetune_flows.tasks.artifacts.runs import list_runs
from finetune_flows.tasks.base.errors import EnvironmentProblem, RegistryError
from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.exporting.subject import Subject

TOKEN_VARIABLE = "HF_TOKEN"
CARD = "README.md"


class Push(Frozen):
    """What is pushed, and where to."""

    repository: str = Field(description="`organisation/name` on the hub.")
    public: bool
    files: dict[str, Path] = Field(description="Files by their name in the repository, the model card among them.")

    @property
    def sizes(self) -> dict[str, int]:
        """Size in bytes of each file."""
        return {name: path.stat().st_size for name, path in self.files.items()}


def plan_push(subject: Subject, repository: str, public: bool) -> Push:
    """The files of the model and its card. Asks nobody.

    Raises:
        RegistryError: the model has no card, or the hub permits no repository of this name.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise RegistryError(f"{repository} cannot be the name of a repository: {error}") from error
    if "/" not in repository:
        raise RegistryError(f"{repository} names no organisation or user: write org/{repository}")
    found = sorted(path for path in subject.weights.rglob("*") if path.is_file())
    files = {path.relative_to(subject.weights).as_posix(): path for path in found}
    return Push(repository=repository, public=public, files=files | {CARD: files.get(CARD) or _card(subject)})


def push(planned: Push) -> str:
    """Creates the repository if it does not exist, private unless `planned.public`, and commits the files. Returns its URL.

    The token comes from the environment variable HF_TOKEN and is written nowhere.

    Raises:
        EnvironmentProblem: there is no token, the hub refuses or cannot be reached, or the repository is public already
            and `planned.public` is not set.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise EnvironmentProblem(
            f"the environment variable {TOKEN_VARIABLE} is not set here; set it to a token that may write"
        )
    api, name = HfApi(token=token), planned.repository
    try:
        api.create_repo(name, private=not planned.public, exist_ok=True)
        if not planned.public and not api.repo_info(name).private:
            raise EnvironmentProblem(
                f"{name} exists already and everybody can read it. To push there all the same: --public"
            )
        operations = [CommitOperationAdd(file, path) for file, path in planned.files.items()]
        api.create_commit(name, operations, commit_message="Model trained by finetune-flows")
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        words = str(error).replace(token, "<token>")  # a proxy may repeat what it refuses
        raise EnvironmentProblem(f"cannot push to {name} on the hub: {words}") from None
    return f"{api.endpoint}/{name}"


def _card(subject: Subject) -> Path:
    """The card from the latest run that made the model. Raises RegistryError."""
    digest = subject.entry.model.digest if subject.entry else None
    made = [run for run in list_runs() if run.outcome and run.outcome["model"]["digest"] == digest]
    cards = [home() / "runs" / run.id / "model_card.md" for run in made]
    card = next((each for each in reversed(cards) if each.is_file()), None)
    if card is None:
        raise RegistryError(f"{subject.name} has no model card. Next: write one into {subject.weights / CARD}")
    return card
