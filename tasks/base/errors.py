"""All errors of the product, divided by what the reader does next.

FinetuneError
├── RecipeError        fix the recipe: all its problems are reported together
├── DatasetError       fix the rows: all their problems are reported together
├── EnvironmentProblem fix the machine: something is missing, full or not permitted
├── JobFailed          look at the job: the program inside it failed
├── EndpointFailed     look at the endpoint's log: it did not start, or answered wrongly
├── ArtifactDamaged    make it again: the files in the store are not those that were put there
├── RegistryError      choose another: the registry has no such champion or candidate
├── TryLater           wait: throttled, no capacity, network; `finetune_flows.tasks.retrying` retries these by itself
└── GateRefused        nothing to fix: the champion keeps serving

This module imports nothing, so that everything may import it.
"""


class FinetuneError(Exception):
    """A failure that the reader can act on. The message names the thing, what happened and the next command."""

    exit_code = 1


class RecipeError(FinetuneError):
    """The recipe cannot be run. `problems` holds one line for each thing to fix."""

    exit_code = 2

    def __init__(self, subject: str, problems: list[str]) -> None:
        self.subject = subject
        self.problems = problems
        super().__init__(f"{subject}:\n" + "\n".join(f"  - {problem}" for problem in problems))

    def __reduce__(self) -> tuple[type["RecipeError"], tuple[str, list[str]]]:
        """Pickled from its parts: Prefect moves exceptions between processes."""
        return type(self), (self.subject, self.problems)


class DatasetError(FinetuneError):
    """The rows cannot be used: the source is unreadable, or too many rows are quarantined."""

    exit_code = 2


class EnvironmentProblem(FinetuneError):
    """This machine or account lacks something: a package, a port, disk space, a GPU, a permission."""


class JobFailed(FinetuneError):
    """The program inside a job ended with an error. The message holds that error and the place of the log."""


class EndpointFailed(FinetuneError):
    """An endpoint is missing, did not become healthy, or gave answers that its model would not give."""


class ArtifactDamaged(FinetuneError):
    """An artefact in the store does not match its manifest."""


class RegistryError(FinetuneError):
    """The registry has no such champion or candidate, or the candidate may not be promoted."""

    exit_code = 2


class TryLater(FinetuneError):
    """Throttled, out of capacity or unreachable: the same call may succeed later."""


class GateRefused(FinetuneError):
    """The candidate was evaluated and may not serve. `reasons` holds a sentence for each condition."""

    exit_code = 3

    def __init__(self, recipe: str, outcome: str, reasons: list[str]) -> None:
        self.recipe = recipe
        self.outcome = outcome
        self.reasons = reasons
        super().__init__(f"the gate of {recipe} does not let the tuned model serve ({outcome}): " + "; ".join(reasons))

    def __reduce__(self) -> tuple[type["GateRefused"], tuple[str, str, list[str]]]:
        """Pickled from its parts: Prefect moves exceptions between processes."""
        return type(self), (self.recipe, self.outcome, self.reasons)
