"""AWS on this machine, as far as this project uses it.

SageMaker and its runtime, Service Quotas and the Price List are ours: SageMaker checks each request against AWS's own API
model and *really runs* the training and the serving program. S3, IAM, STS, CloudWatch and its logs, Secrets Manager and
Application Auto Scaling are moto's. One address answers for all of them, and keeps every request.

What a green test here proves: requests are well formed, the order of calls obeys AWS's rules, programs obey the container
contract. It does not prove that real roles, quotas, drivers or images are right.
"""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import httpx
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from tests.support.sagemaker.account import Account, client
from tests.support.sagemaker.billing import Billing
from tests.support.sagemaker.endpoints import Endpoints
from tests.support.sagemaker.faults import Faults
from tests.support.sagemaker.jobs import TrainingJobs
from tests.support.sagemaker.packages import ModelPackages
from tests.support.sagemaker.record import Record
from tests.support.sagemaker.runtime import Runtime
from tests.support.sagemaker.tables import ACCOUNT, REGION
from tests.support.sagemaker.usage import Usage
from tests.support.sagemaker.wire import Cloud

ROLE = "finetune-flows"  # what `setup aws` makes, and a recipe means when it names none
BUCKET = f"finetune-flows-{ACCOUNT}-{REGION}"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
CLIENT_KEY = "AKIACLIENT0000000000"
SECRET_KEY = "the-secret-of-the-client"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


NOTHING: dict[str, list[str]] = {"endpoints": [], "configs": [], "models": [], "running jobs": []}
"""What `Emulator.holds` says of an account in which nothing is left."""


class Emulator:
    """Starts with an empty account that has one role and one bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record = Record(folder / "record")
        self.server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, name="emulator", daemon=True).start()
        self._set_up()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.cloud(environ, start_response)

    def _set_up(self) -> None:
        self.faults = Faults()
        self.account = Account(self.url, self.folder / "account", self.faults)
        self.jobs, self.endpoints = TrainingJobs(self.account), Endpoints(self.account)
        self.usage = Usage(self.account.cloudwatch)
        self.packages, self.billing = ModelPackages(self.account), Billing(self.account)
        tags = self.account.tags
        self.cloud = Cloud(
            {
                "sagemaker": {
                    **self.jobs.operations(),
                    **self.endpoints.operations(),
                    **self.packages.operations(),
                    "AddTags": tags.add,
                    "ListTags": tags.list,
                    "DeleteTags": tags.delete,
                },
                "service-quotas": self.billing.quota_operations(),
                "pricing": self.billing.price_operations(),
            },
            Runtime(self.endpoints, self.faults, self.usage).invoke,
            self.billing.simulate_policy,
            self.faults,
            self.record,
        )
        self.account.iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST))
        self.account.s3.create_bucket(Bucket=BUCKET)

    def environment(self) -> dict[str, str]:
        """Variables that send an unmodified boto3 here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": CLIENT_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str) -> Any:
        """A client as anybody has one."""
        return client(self.url, service, CLIENT_KEY, SECRET_KEY)

    def holds(self) -> dict[str, list[str]]:
        """The names of what costs money or clutters: endpoints, configs, models, jobs that run."""
        endpoints = self.endpoints
        return {
            "endpoints": sorted(endpoints.endpoints.rows),
            "configs": sorted(endpoints.configs.rows),
            "models": sorted(endpoints.models.rows),
            "running jobs": sorted(job.name for job in self.jobs.table.rows.values() if job.status == "InProgress"),
        }

    def log(self, group: str) -> list[str]:
        """All lines of a log group; none before its first one has arrived."""
        lines = []
        try:
            for found in self.account.logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                lines += [event["message"] for event in found["events"]]
        except self.account.logs.exceptions.ResourceNotFoundException:
            return []
        return lines

    def reset(self) -> None:
        """Ends all that runs and forgets everything."""
        self._end_all()
        httpx.post(f"{self.url}/moto-api/reset", trust_env=False).raise_for_status()
        self.record.clear()
        shutil.rmtree(self.folder / "account", ignore_errors=True)
        self._set_up()

    def stop(self) -> None:
        """Ends everything, the server last."""
        self._end_all()
        self.server.shutdown()

    def _end_all(self) -> None:
        self.jobs.end_all()
        self.endpoints.end_all()


class _Quiet(MotoRequestHandler):
    """No line for every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing."""
