"""What an hour costs, from the AWS Price List or else from the dated table in the package. Each price names its source."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.aws.instances import table
from finetune_flows.tasks.base.values import Frozen

Use = Literal["training", "endpoint"]

_USAGE = {"training": "Train", "endpoint": "Host"}
_COMPONENT = {"training": "Training", "endpoint": "Hosting"}
_HOME = "us-east-1"  # one of the few regions that answer Price List requests, and they do so for all regions


class Price(Frozen):
    """The on-demand price of one instance for one hour."""

    usd_per_hour: float = Field(ge=0)
    source: str


class Prices:
    """Prices of one region; each is looked up once.

    Without a session, AWS is not asked: prices come from the table in the package, and their source says so.
    """

    def __init__(self, region: str, session: Any = None) -> None:
        self.region = region
        self.session = session
        self._known: dict[tuple[str, Use], Price | None] = {}

    def of(self, instance_type: str, use: Use) -> Price | None:
        """The price of an instance type; None if neither the Price List nor the table has it."""
        key = instance_type, use
        if key not in self._known:
            self._known[key] = self._asked(instance_type, use) or self._in_table(instance_type)
        return self._known[key]

    def _asked(self, instance_type: str, use: Use) -> Price | None:
        if self.session is None:
            return None
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            products = _products(self.session, self.region, instance_type)
        except (BotoCoreError, ClientError):
            # Not permitted, or no network: use the table from now on, so that further prices do not wait for a time-out.
            self.session = None
            return None
        found = [price for product in products if _is_for(product, instance_type, use) for price in _on_demand(product)]
        if not found:
            return None
        return Price(usd_per_hour=max(found), source=f"AWS Price List, {self.region}, {date.today()}")

    def _in_table(self, instance_type: str) -> Price | None:
        known = table()
        instance = known.instances.get(instance_type)
        if instance is None:
            return None
        if self.region in known.same_price:
            return Price(usd_per_hour=instance.usd_per_hour, source=f"about, {known.source}")
        raised = instance.usd_per_hour * known.elsewhere
        words = f"at most about, {known.source}, times {known.elsewhere:g} for {self.region}"
        return Price(usd_per_hour=raised, source=words)


def _products(session: Any, region: str, instance_type: str) -> list[dict[str, Any]]:
    from botocore.config import Config

    patience = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 2})
    pages = session.client("pricing", region_name=_HOME, config=patience).get_paginator("get_products")
    wanted = {"regionCode": region, "instanceName": instance_type}
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    found = pages.paginate(ServiceCode="AmazonSageMaker", Filters=filters)
    return [json.loads(product) for page in found for product in page["PriceList"]]


def _is_for(product: dict[str, Any], instance_type: str, use: Use) -> bool:
    """Judges by the usage type, such as `USE1-Train:ml.g5.2xlarge`, or by the component if there is none."""
    attributes = product.get("product", {}).get("attributes", {})
    if "usagetype" not in attributes:
        return bool(attributes.get("component") == _COMPONENT[use])
    return re.search(rf"(^|-){_USAGE[use]}:{re.escape(instance_type)}$", attributes["usagetype"]) is not None


def _on_demand(product: dict[str, Any]) -> Iterator[float]:
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            if dimension.get("unit") in ("Hrs", "Hours", "hours"):
                yield float(dimension["pricePerUnit"]["USD"])
