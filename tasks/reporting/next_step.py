"""What to do after a run, in a plain sentence: the last line of a report's first screen."""

from typing import NamedTuple

from finetune_flows.tasks.reporting.facts import RunFacts


class NextStep(NamedTuple):
    """A sentence and, if there is one to type, the command that it leads to."""

    sentence: str
    command: str = ""


def next_step(facts: RunFacts) -> NextStep:
    """What the gate's decision leaves a person to do."""
    return _STEPS[facts.decision](facts)


def _ask_it(facts: RunFacts) -> NextStep:
    call = f"finetune endpoint call {facts.recipe.name} {facts.recipe.problem.example}"
    return NextStep("Ask the model a question of your own:", call)


def _approve_it(facts: RunFacts) -> NextStep:
    command = f'finetune promote {facts.recipe.name} --model {facts.model.digest[:8]} --reason "..."'
    return NextStep("A person has to approve the model: resume the run of promote in the Prefect UI, or type", command)


def _measure_more(facts: RunFacts) -> NextStep:
    rows, n = facts.audit().splits["test"], facts.tuned.n
    again = "Run the recipe again; the model is not trained again"
    if rows > n:
        there = f"{n:,} test rows were too few to be sure, but there are {rows:,}."
        return NextStep(f"{there} {again}:", f"--set evaluation.rows={rows}")
    return NextStep(
        f"{n:,} test rows were too few to be sure. Add rows, or set a larger dataset.test_share, and run the recipe again."
    )


def _correct_it(facts: RunFacts) -> NextStep:
    mistakes = {kind: count for kind, count in facts.tuned.kinds.items() if kind != "right"}
    if not mistakes:
        return NextStep("The answers are right: look at the condition above that was missed.")
    kind = max(mistakes, key=mistakes.__getitem__)
    return NextStep(
        f"Read the wrong answers below; the most frequent mistake is “{kind}” ({mistakes[kind]} of {facts.tuned.n}). "
        "Then add rows that show it right, or train longer, and run the recipe again."
    )


_STEPS = {
    "passed": _ask_it,
    "awaits approval": _approve_it,
    "cannot tell": _measure_more,
    "refused": _correct_it,
}
