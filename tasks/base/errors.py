"""What can go wrong, split by what the reader does next.

FinetuneError
├── RecipeError        fix the recipe: every problem found in it, at once
├── DatasetError       fix the rows: every problem found in them, at once
├── EnvironmentProblem fix the machine: something is missing, full or not permitted
├── JobFailed          look at the job: the program inside it failed
├── EndpointFailed     look at the endpoint's log: it did not come up, or answered wrongly
├── ArtifactDamaged    make it again: what is in the store is not what was put there
├── RegistryError      choose another: the registry knows no such champion or candidate
├── TryLater           wait: throttled, no capacity, network; `finetune_flows.tasks.retrying` tries these again by itself
└── GateRefused        nothing to mend: the champion serves on

This module imports nothing, so that everything may import it.
"""


class FinetuneError(Exception):
    """A failure that the reader can act on. The message names the thing, what happened and the next command."""

    exit_code = 1


class RecipeError(FinetuneError):
    """The recipe cannot be run as it stands. `problems` holds one line for each thing to mend."""

    exit_code = 2

    def __init__(self, subject: str, problems: list[str]) -> None:
        self.subject = subject
        self.problems = problems
        super().__init__(f"{subject}:\n" + "\n".join(f"  - {problem}" for problem in problems))

    def __reduce__(self) -> tuple[type["RecipeError"], tuple[str, list[str]]]:
        """Pickled from its parts: Prefect moves exceptions between processes."""
        return type(self), (self.subject, self.problems)


class DatasetError(FinetuneError):
    """The rows cannot be used as they stand: unreadable source, or too many of them quarantined."""

    exit_code = 2


class EnvironmentProblem(FinetuneError):
    """This machine or account lacks something: a package, a port, disk space, a GPU, a permission."""


class JobFailed(FinetuneError):
    """The program inside a job ended with an error. The message carries its own words and where its log is."""


class EndpointFailed(FinetuneError):
    """An endpoint did not become healthy, or gave answers that its model would not give."""


class ArtifactDamaged(FinetuneError):
    """An artefact in the store does not match its manifest."""


class RegistryError(FinetuneError):
    """There is no such champion or candidate in the registry, or it may not be promoted."""

    exit_code = 2


class TryLater(FinetuneError):
    """Throttled, out of capacity or unreachable: the same call may well succeed in a while."""


class GateRefused(FinetuneError):
    """The candidate was measured and may not serve. `reasons` holds a sentence for each condition."""

    exit_code = 3

    def __init__(self, recipe: str, outcome: str, reasons: list[str]) -> None:
        self.recipe = recipe
        self.outcome = outcome
        self.reasons = reasons
        super().__init__(f"the gate of {recipe} lets the tuned model not serve ({outcome}): " + "; ".join(reasons))

    def __reduce__(self) -> tuple[type["GateRefused"], tuple[str, str, list[str]]]:
        """Pickled from its parts: Prefect moves exceptions between processes."""
        return type(self), (self.recipe, self.outcome, self.reasons)
