"""The most that a run can cost, and how long its job may run within the recipe's budget.

Only instances count. S3, logs, requests, data that leaves AWS and a job's volume are left out: together they are cents.
"""

from pydantic import Field

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.preflight.prices import Price, Prices, Use
from finetune_flows.tasks.recipe import Recipe
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

SHORTEST_JOB = 0.25
"""Hours. A budget that leaves less for the job is refused, because the download of image and model alone takes minutes."""


class Cost(Frozen):
    """One thing that is billed by the hour."""

    what: str
    instance_type: str
    instances: int
    hours: float = Field(description="The most hours it may be billed for.")
    price: Price | None = Field(None, description="None if the price is unknown.")

    @property
    def usd(self) -> float:
        """The most it can cost, in US dollars; 0 if the price is unknown."""
        return self.hours * self.hourly

    @property
    def hourly(self) -> float:
        """US dollars an hour for all instances together; 0 if the price is unknown."""
        return self.instances * self.price.usd_per_hour if self.price else 0.0


class Estimate(Frozen):
    """The most that a run can cost, in US dollars, at on-demand prices. Spot is cheaper, but by how much is known only
    afterwards."""

    training: Cost
    warm_pool: Cost | None = None
    endpoints: list[Cost]

    @property
    def costs(self) -> list[Cost]:
        """All costs, in the order in which they arise."""
        base, *others = self.endpoints
        return [base, self.training, *([self.warm_pool] if self.warm_pool else []), *others]

    @property
    def usd(self) -> float:
        """The most that the run can cost, in US dollars."""
        return sum(cost.usd for cost in self.costs)

    @property
    def unpriced(self) -> list[str]:
        """Instance types whose price is unknown."""
        return sorted({cost.instance_type for cost in self.costs if cost.price is None})


def estimate(recipe: Recipe, section: SageMakerPlatform, prices: Prices) -> Estimate:
    """The most that one run can cost: it reaches every limit of the recipe, on the dearest instance type it permits."""
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
    return price.usd_per_hour if price else float("inf")  # an unknown price counts as the highest, to be safe


def hours_within(max_usd: float, estimate: Estimate) -> float:
    """Hours that the job may run if the whole run is to cost at most `max_usd`, cut to the second; 0 or less for none."""
    rest = max_usd - (estimate.usd - estimate.training.usd)
    hours = rest / estimate.training.hourly if estimate.training.hourly else estimate.training.hours
    return min(estimate.training.hours, int(hours * 3600) / 3600)


def within_budget(recipe: Recipe, section: SageMakerPlatform, estimate: Estimate) -> tuple[Recipe, list[str]]:
    """The recipe with its job's runtime lowered to what `max_usd` buys, and the problems that forbid the run."""
    if section.max_usd is None:
        return recipe, []
    if estimate.unpriced:
        types = ", ".join(estimate.unpriced)
        return recipe, [
            f"max_usd: the price of {types} is unknown, so the budget cannot be kept. Next: use another instance type"
        ]
    hours = hours_within(section.max_usd, estimate)
    if hours < min(SHORTEST_JOB, section.max_runtime_hours):
        return recipe, [_too_dear(section.max_usd, estimate)]
    lowered = section.model_copy(update={"max_runtime_hours": hours})
    return recipe.model_copy(update={"platform": lowered}), []


def training_hours(recipe: Recipe, clients: Clients) -> float | None:
    """Hours of training that `max_usd` buys for all jobs together, without endpoints; None without `max_usd`."""
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
        "Next: raise platform.max_usd, lower serving.expires_after_hours or use a cheaper instance type"
    )
