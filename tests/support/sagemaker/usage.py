"""What CloudWatch knows of endpoints: a count, a failure or none, and a latency for each request."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from moto.cloudwatch import models

from tests.support.sagemaker.tables import now


class Usage:
    """Notes each request under the names that AWS documents for the namespace AWS/SageMaker."""

    def __init__(self, cloudwatch: Any) -> None:
        self.cloudwatch = cloudwatch
        self.clock: Callable[[], datetime] = now
        """A test may set it back: CloudWatch is asked for quarters of an hour that are over."""

    def note(self, endpoint: str, variant: str, status: int, seconds: float) -> None:
        """`status`: what the container answered; `seconds`: how long it took."""
        values = {
            "Invocations": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500),
            "ModelLatency": seconds * 1e6,
        }
        dimensions = [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}]
        data = [
            {"MetricName": name, "Dimensions": dimensions, "Timestamp": self.clock(), "Value": value}
            for name, value in values.items()
        ]
        self.cloudwatch.put_metric_data(Namespace="AWS/SageMaker", MetricData=data)


class Percentiles(models.Statistics):
    """moto's statistics know no percentiles, and CloudWatch has them."""

    def get_statistics_for_type(self, stat: str) -> Any:
        """As moto does; `p95` and the like of the single values."""
        if re.fullmatch(r"p\d+(\.\d+)?", stat):
            return float(np.percentile(self.metric_single_values_list, float(stat[1:])))
        return super().get_statistics_for_type(stat)


models.Statistics = Percentiles  # type: ignore[misc]
