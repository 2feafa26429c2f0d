"""Service Quotas, the Price List and IAM's policy simulator: what a preflight asks before anything is spent."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload, service_model
from tests.support.sagemaker.errors import ServiceError
from tests.support.sagemaker.tables import REGION, arn, page
from tests.support.sagemaker.wire import Operation

USES = ("training job usage", "spot training job usage", "training warm pool usage", "endpoint usage")
PRICES = {"ml.m5.xlarge": 0.23, "ml.g4dn.xlarge": 0.736, "ml.g5.xlarge": 1.408, "ml.g5.2xlarge": 1.515}


class Billing:
    """Answers about one account."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.prices = dict(PRICES)
        self.denied: set[str] = set()  # actions that the policy simulator finds denied

    def quota_operations(self) -> Mapping[str, Operation]:
        """Service Quotas."""
        return {"ListServiceQuotas": self.list_quotas, "GetServiceQuota": self.get_quota}

    def price_operations(self) -> Mapping[str, Operation]:
        """The Price List."""
        return {"GetProducts": self.products}

    def list_quotas(self, request: Payload) -> Payload:
        """ListServiceQuotas: thousands of them, in pages."""
        return page(self._quotas(request["ServiceCode"]), request, "Quotas", default=100)

    def get_quota(self, request: Payload) -> Payload:
        """GetServiceQuota."""
        for quota in self._quotas(request["ServiceCode"]):
            if quota["QuotaCode"] == request["QuotaCode"]:
                return {"Quota": quota}
        raise ServiceError(
            "NoSuchResourceException", f"The request failed because quota {request['QuotaCode']} does not exist."
        )

    def _quotas(self, service: str) -> list[Payload]:
        if service != "sagemaker":
            raise ServiceError("NoSuchResourceException", f"The service {service} does not exist.")
        types = service_model("sagemaker").shape_for("TrainingInstanceType").enum  # type: ignore[attr-defined]
        return [_quota(f"{each} for {use}", self.account.quota(each, use)) for each in types for use in USES]

    def products(self, request: Payload) -> Payload:
        """GetProducts: one product for each instance type and component that the filters let through."""
        wanted = {each["Field"]: each["Value"] for each in request.get("Filters", [])}
        found = []
        for instance_type, price in self.prices.items():
            for component in ("Training", "Hosting"):
                attributes = {
                    "servicecode": "AmazonSageMaker",
                    "regionCode": REGION,
                    "instanceName": instance_type,
                    "instanceType": f"{instance_type}-{component}",
                    "component": component,
                    "location": "US East (N. Virginia)",
                    "productFamily": "ML Instance",
                }
                if all(attributes.get(name) == value for name, value in wanted.items()):
                    found.append(json.dumps(_product(attributes, price)))
        return {"FormatVersion": "aws_v1", **page(found, request, "PriceList", default=100)}

    def simulate_policy(self, form: dict[str, list[str]]) -> Response:
        """SimulatePrincipalPolicy, which moto does not have."""
        actions = [value[0] for name, value in form.items() if name.startswith("ActionNames.")]
        results = "".join(
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalDecision>"
            f"{'explicitDeny' if action in self.denied else 'allowed'}</EvalDecision></member>"
            for action in actions
        )
        body = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
            f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
            "</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        return Response(body, content_type="text/xml")


def _quota(name: str, value: float) -> Payload:
    code = "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper()
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaName": name,
        "QuotaCode": code,
        "QuotaArn": arn("quota", code).replace(":sagemaker:", ":servicequotas:"),
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _product(attributes: dict[str, str], price: float) -> dict[str, Any]:
    sku = hashlib.sha256(attributes["instanceType"].encode()).hexdigest()[:16].upper()
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}, "description": f"${price} per hour"}
    return {
        "product": {"sku": sku, "productFamily": attributes["productFamily"], "attributes": attributes},
        "serviceCode": "AmazonSageMaker",
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": {"priceDimensions": {f"{sku}.JRTCKXETXF.6YS6EN2CT7": dimension}}}},
    }
