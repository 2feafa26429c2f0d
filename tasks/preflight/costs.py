"""What a run can cost at most, and how long its job may run within the recipe's budget.

Counted are instances. Not counted: S3, logs, requests, data that leaves AWS, a job's volume; together they are cents.
"""

from pydantic import Field

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.preflight.prices import Price, Prices, Use
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

SHORTEST_JOB = 0.25
"""Hours. A budget that leaves a job less is refused: the image and the model alone take minutes to arrive."""


class Cost(Frozen):
    """One thing that is billed by the hour."""

    what: str
    instance_type: str
    instances: int
    hours: float = Field(description="At most.")
    price: Price | None = Field(None, description="None when nobody knows it.")

    @property
    def usd(self) -> float:
        """At most; 0 when the price is not known."""
        return self.hours * self.hourly

    @property
    def hourly(self) -> float:
        """Of all instances together."""
        return self.instances * self.price.usd_per_hour if self.price else 0.0


class Estimate(Frozen):
    """All that a run can cost, in US dollars, on demand: spot is cheaper, by how much is known afterwards."""

    training: Cost
    warm_pool: Cost | None = None
    endpoints: list[Cost]

    @property
    def costs(self) -> list[Cost]:
        """In the order in which they arise."""
        base, *others = self.endpoints
        return [base, self.training, *([self.warm_pool] if self.warm_pool else []), *others]

    @property
    def usd(self) -> float:
        """At most."""
        return sum(cost.usd for cost in self.costs)

    @property
    def unpriced(self) -> list[str]:
        """Instance types whose price is not known."""
        return sorted({cost.instance_type for cost in self.costs if cost.price is None})


def estimate(recipe: Recipe, section: SageMakerPlatform, prices: Prices) -> Estimate:
    """The most that one run can cost: every limit of the recipe is reached, on the dearest instance type that it permits."""
    dearest = max(section.training_instances, key=lambda name: _hourly(prices, name, "training"))
    price = prices.of(dearest, "training")
    count = section.instance_count
    training = Cost(
        what="training job", instance_type=dearest, instances=count, hours=section.max_runtime_hours, price=price
    )
    warm = section.keep_alive_minutes / 60
    pool = Cost(what="warm pool", instance_type=dearest, instances=count, hours=warm, price=price) if warm else None
    return Estimate(training=training, warm_pool=pool, endpoints=_endpoints(recipe, section, prices))


def _endpoints(recipe: Recipe, section: SageMakerPlatform, prices: Prices) -> list[Cost]:
    price = prices.of(section.serving_instance, "endpoint")
    most = section.autoscaling.max_instances if section.autoscaling else 1
    return [
        Cost(
            what=what,
            instance_type=section.serving_instance,
            instances=most,
            hours=recipe.serving.expires_after_hours,
            price=price,
        )
        for what in ("endpoint of the base model", "endpoint of the tuned model")
    ]


def _hourly(prices: Prices, instance_type: str, use: Use) -> float:
    price = prices.of(instance_type, use)
    return price.usd_per_hour if price else float("inf")  # a price that nobody knows is taken for the highest


def hours_within(max_usd: float, estimate: Estimate) -> float:
    """How many hours the job may run so that the whole run stays within `max_usd`, to the second; 0 or less: none."""
    rest = max_usd - (estimate.usd - estimate.training.usd)
    hours = rest / estimate.training.hourly if estimate.training.hourly else estimate.training.hours
    return min(estimate.training.hours, int(hours * 3600) / 3600)


def within_budget(recipe: Recipe, section: SageMakerPlatform, estimate: Estimate) -> tuple[Recipe, list[str]]:
    """The recipe with its job's runtime lowered to what `max_usd` buys, and what stands against it, if anything."""
    if section.max_usd is None:
        return recipe, []
    if estimate.unpriced:
        types = ", ".join(estimate.unpriced)
        return recipe, [
            f"max_usd: no price is known for {types}, so the budget cannot be kept. Next: take another type"
        ]
    hours = hours_within(section.max_usd, estimate)
    if hours < min(SHORTEST_JOB, section.max_runtime_hours):
        return recipe, [_too_dear(section.max_usd, estimate)]
    lowered = section.model_copy(update={"max_runtime_hours": hours})
    return recipe.model_copy(update={"platform": lowered}), []


def training_hours(recipe: Recipe, clients: Clients) -> float | None:
    """Hours of training that `max_usd` buys, all jobs together, when no endpoint is started; None without `max_usd`."""
    section = clients.section
    if section.max_usd is None:
        return None
    hourly = estimate(recipe, section, Prices(clients.region, clients.session)).training.hourly
    return section.max_usd / hourly if hourly else 0.0


def _too_dear(max_usd: float, estimate: Estimate) -> str:
    endpoints = sum(cost.usd for cost in estimate.endpoints)
    return (
        f"max_usd: ${max_usd:.2f} does not pay for the run: its endpoints cost up to ${endpoints:.2f}, and the job "
        f"${estimate.training.hourly:.2f} an hour ({estimate.training.instance_type}). "
        "Next: raise platform.max_usd, lower serving.expires_after_hours or take a cheaper type"
    )
