"""CloudWatch: lines into a log stream, numbers out of lines."""

import re
import time
from typing import Any

from tests.support.sagemaker.api_model import Payload

_EVENTS, _BYTES = 500, 200_000  # well below what one PutLogEvents may hold


class LogStream:
    """Lines of one container, sent in batches. The stream is there from its first line on, not before."""

    def __init__(self, logs: Any, group: str, stream: str) -> None:
        self.logs, self.group, self.stream = logs, group, stream
        self.waiting: list[dict[str, Any]] = []
        self.created = False

    def write(self, line: str) -> None:
        """Keeps a line for the next batch; CloudWatch takes no empty one."""
        self.waiting.append({"timestamp": int(time.time() * 1000), "message": line or " "})
        if len(self.waiting) >= _EVENTS or sum(len(each["message"]) for each in self.waiting) > _BYTES:
            self.flush()

    def flush(self) -> None:
        """Sends what waits."""
        if not self.waiting:
            return
        if not self.created:
            self._create()
        batch, self.waiting = self.waiting, []
        self.logs.put_log_events(logGroupName=self.group, logStreamName=self.stream, logEvents=batch)

    def _create(self) -> None:
        there = self.logs.exceptions.ResourceAlreadyExistsException
        for create, names in (
            (self.logs.create_log_group, {"logGroupName": self.group}),
            (self.logs.create_log_stream, {"logGroupName": self.group, "logStreamName": self.stream}),
        ):
            try:
                create(**names)
            except there:
                continue
        self.created = True


class Metrics:
    """The numbers that a job's regexes find in its lines."""

    def __init__(self, definitions: list[Payload], cloudwatch: Any, job: str) -> None:
        self.patterns = {each["Name"]: re.compile(each["Regex"]) for each in definitions}
        self.cloudwatch, self.job = cloudwatch, job
        self.last: dict[str, tuple[float, float]] = {}

    def read(self, line: str) -> None:
        """Notes the first group of each pattern that matches."""
        for name, pattern in self.patterns.items():
            found = pattern.search(line)
            if found:
                self.last[name] = (float(found[1]), time.time())

    def publish(self) -> list[Payload]:
        """The last value of each, also to CloudWatch; as FinalMetricDataList."""
        if self.last:
            self.cloudwatch.put_metric_data(
                Namespace="/aws/sagemaker/TrainingJobs",
                MetricData=[
                    {"MetricName": name, "Value": value, "Dimensions": [{"Name": "TrainingJobName", "Value": self.job}]}
                    for name, (value, _) in self.last.items()
                ],
            )
        return [{"MetricName": name, "Value": value, "Timestamp": at} for name, (value, at) in self.last.items()]
