"""The fault table: what goes wrong under the unmodified flow, and what is expected to come of it.

What a fault does to a job or an endpoint alone is in test_sagemaker_jobs and test_sagemaker_endpoints, at their speed.
"""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.flows.finetune import Outcome, finetune
from finetune_flows.tasks.base.errors import EndpointFailed, JobFailed, RecipeError, TryLater
from finetune_flows.tasks.recipe import Recipe, parse_recipe
from tests.flows.conftest import content, home, prefect_server, tiny_model
from tests.support.sagemaker.emulator import NOTHING, Emulator

pytestmark = pytest.mark.slow
__all__ = ["content", "home", "prefect_server", "tiny_model"]
TYPES = ["ml.g5.2xlarge", "ml.g6.2xlarge"]
QUOTA = "ml.g5.2xlarge for training job usage"


@dataclass(frozen=True)
class Survived:
    """A fault that the run gets over."""

    arm: Callable[[Emulator], object]
    platform: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    jobs: tuple[tuple[str, str], ...] = (("ml.g5.2xlarge", "Completed"),)
    """Type and end of each job that existed."""
    resumed: bool = False
    """Whether the model came of a job that went on from a checkpoint."""


@dataclass(frozen=True)
class Refused:
    """A fault that ends the run."""

    arm: Callable[[Emulator], object]
    error: type[Exception]
    words: str
    platform: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    jobs: tuple[str, ...] = ()
    """The end of each job that existed."""
    trained_again: bool = False
    """Whether the next run, with nothing wrong any more, has to train; it takes what there is otherwise."""


def answers_fail(aws: Emulator, requests: float) -> None:
    """So many of the test questions that the candidate is asked are answered by an error; the parity check's are not."""
    asked = itertools.count(1)
    aws.faults.fail_invocations(
        lambda name, body: "base" not in name and b'"max_tokens":16' in body and next(asked) <= requests
    )


LONG = {"max_steps": 40, "checkpoint_every": 5}
SURVIVED = {
    "Create is throttled": Survived(lambda aws: aws.faults.throttle("CreateTrainingJob", 4)),
    "the answer to Create is lost": Survived(lambda aws: aws.faults.lose_response("CreateTrainingJob", 9)),
    "the answer to CreateEndpoint is lost": Survived(lambda aws: aws.faults.lose_response("CreateEndpoint", 2)),
    "spot capacity is taken away": Survived(
        lambda aws: aws.faults.interrupt_spot(at_step=12), {"spot": True}, LONG, resumed=True
    ),
    "the machine is gone without notice": Survived(
        lambda aws: aws.faults.interrupt_spot(at_step=12, notice=False), {"spot": True}, LONG, resumed=True
    ),
    "no capacity for the first type": Survived(
        lambda aws: aws.faults.out_of_capacity(TYPES[0]),
        {"training_instances": TYPES, "serving_instance": "ml.g5.xlarge"},
        jobs=((TYPES[0], "Failed"), (TYPES[1], "Completed")),
    ),
    "the candidate's answers fail for a while": Survived(lambda aws: answers_fail(aws, requests=8)),
}
REFUSED = {
    "a quota of none": Refused(
        lambda aws: aws.account.quotas.update({QUOTA: 0}), RecipeError, f"{QUOTA}.*servicequotas", trained_again=True
    ),
    "over the budget": Refused(
        lambda aws: None, RecipeError, r"\$0\.50 does not pay for the run", {"max_usd": 0.5}, trained_again=True
    ),
    "the training program fails": Refused(
        lambda aws: None,
        JobFailed,
        "dtype: float16 cannot be trained on a CPU",
        training={"dtype": "float16"},
        jobs=("Failed",),
        trained_again=True,
    ),
    "the candidate's endpoint fails its ping": Refused(
        lambda aws: aws.faults.fail_health_check(after=1, times=9),
        EndpointFailed,
        "did not pass the ping health check.*serving model on",
        jobs=("Completed",),
    ),
    "the evaluation fails": Refused(
        lambda aws: answers_fail(aws, math.inf),
        TryLater,
        "6 of 6 questions.*HTTP 500",
        jobs=("Completed",),
    ),
}


def recipe(content: dict[str, Any], platform: dict[str, Any], training: dict[str, Any]) -> Recipe:
    own = {"platform": {"kind": "sagemaker"} | platform, "training": content["training"] | training}
    return parse_recipe(content | own, "tiny")


def report(outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((outcome.model.path / "training.json").read_text())
    return told


@pytest.mark.parametrize("name", SURVIVED)
def test_a_fault_that_the_run_gets_over(name: str, emulator: Emulator, home: Path, content: dict[str, Any]) -> None:
    fault = SURVIVED[name]
    fault.arm(emulator)
    outcome = finetune(recipe(content, fault.platform, fault.training))
    assert outcome.promoted
    jobs = emulator.jobs.table.rows.values()
    assert tuple((job.request["ResourceConfig"]["InstanceType"], job.status) for job in jobs) == fault.jobs
    step = report(outcome)["resumed_from_step"] or 0
    assert 5 <= step <= 35 if fault.resumed else step == 0
    assert [len(names) for names in emulator.holds().values()] == [1, 1, 1, 0]


@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_that_ends_the_run_is_told_and_leaves_nothing(
    name: str, emulator: Emulator, home: Path, content: dict[str, Any]
) -> None:
    fault = REFUSED[name]
    fault.arm(emulator)
    with pytest.raises(fault.error, match=f"(?s){fault.words}"):
        finetune(recipe(content, fault.platform, fault.training))
    assert emulator.holds() == NOTHING
    assert tuple(job.status for job in emulator.jobs.table.rows.values()) == fault.jobs, "tried once"

    emulator.faults.heal()
    emulator.account.quotas.pop(QUOTA, None)
    assert finetune(recipe(content, {}, {})).promoted
    assert len(emulator.jobs.table.rows) == len(fault.jobs) + fault.trained_again
    assert [len(names) for names in emulator.holds().values()] == [1, 1, 1, 0]
