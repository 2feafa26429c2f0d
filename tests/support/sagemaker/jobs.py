"""The training job operations, with the rules that the API model does not tell."""

import threading
from collections.abc import Mapping

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.errors import ServiceError, invalid
from tests.support.sagemaker.job_life import Job, Life, description
from tests.support.sagemaker.tables import Table, arn, page
from tests.support.sagemaker.wire import Operation

_DAY = 86400


class TrainingJobs:
    """All jobs of the account, those that ended too: a name is never free again, unless its job is deleted."""

    def __init__(self, account: Account) -> None:
        self.account = account
        in_use = ServiceError("ResourceInUse", "Training job names must be unique within an AWS account and region")
        self.table: Table[Job] = Table(account.tags, lambda name: "Requested resource not found.", lambda arn: in_use)

    def operations(self) -> Mapping[str, Operation]:
        """By the API's names."""
        return {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": lambda request: description(self.table.get(request["TrainingJobName"])),
            "ListTrainingJobs": self.list,
            "StopTrainingJob": self.stop,
            "DeleteTrainingJob": self.delete,
        }

    def create(self, request: Payload) -> Payload:
        """CreateTrainingJob."""
        self._check(request)
        name = request["TrainingJobName"]
        job = self.table.add(Job(name, arn("training-job", name), request, status="InProgress"))
        job.move("Starting")
        job.thread = threading.Thread(target=Life(self.account, job).run, name=name, daemon=True)
        job.thread.start()
        return {"TrainingJobArn": job.arn}

    def _check(self, request: Payload) -> None:
        for name in ("ResourceConfig", "StoppingCondition", "AlgorithmSpecification"):
            if name not in request:
                raise invalid(f"{name} is required")
        resources, stopping = request["ResourceConfig"], request["StoppingCondition"]
        _check_spot(request, stopping)
        _check_output(request)
        if request["TrainingJobName"] in self.table.rows:
            raise self.table.duplicate("")
        self.account.check_role(request["RoleArn"])
        self.account.image(request["AlgorithmSpecification"]["TrainingImage"])
        for channel in request.get("InputDataConfig", []):
            self._check_channel(channel, request["RoleArn"])
        spot = "spot training job usage" if request.get("EnableManagedSpotTraining") else "training job usage"
        self.account.check_quota(resources["InstanceType"], spot, resources.get("InstanceCount", 1))

    def _check_channel(self, channel: Payload, role: str) -> None:
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix" or channel.get("InputMode", "File") == "Pipe":
            raise invalid("the emulator reads channels from S3 prefixes in File mode only")
        if source.get("S3DataDistributionType", "FullyReplicated") != "FullyReplicated":
            raise invalid("the emulator does not shard channels")
        if not self.account.storage.exists(source["S3Uri"]):
            raise invalid(
                f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that the '
                f'bucket exists in the selected region, that objects exist under that S3 prefix, and that the role "{role}" '
                'has "s3:ListBucket" permissions on bucket.'
            )

    def list(self, request: Payload) -> Payload:
        """ListTrainingJobs."""
        summaries = [
            {
                "TrainingJobName": job.name,
                "TrainingJobArn": job.arn,
                "CreationTime": job.created,
                "LastModifiedTime": job.modified,
                "TrainingJobStatus": job.status,
                "SecondaryStatus": job.secondary,
            }
            for job in self.table.find(request)
        ]
        return page(summaries, request, "TrainingJobSummaries")

    def stop(self, request: Payload) -> None:
        """StopTrainingJob: of a job that has ended it is an error."""
        job = self.table.get(request["TrainingJobName"])
        if job.status not in ("InProgress", "Stopping"):
            raise invalid(f"The request was rejected because the training job is in status {job.status}.")
        job.status = "Stopping"
        job.stop.set()

    def delete(self, request: Payload) -> None:
        """DeleteTrainingJob: only of one that has ended."""
        job = self.table.get(request["TrainingJobName"])
        if job.status in ("InProgress", "Stopping"):
            raise ServiceError("ResourceInUse", f"Training job {job.name} is in status {job.status}")
        self.table.remove(job.name)

    def end_all(self) -> None:
        """Kills what runs and waits for it."""
        for job in list(self.table.rows.values()):
            job.stop.set()
            for process in job.processes:
                process.kill()
            if job.thread:
                job.thread.join(timeout=30)


def _check_spot(request: Payload, stopping: Payload) -> None:
    longest = stopping.get("MaxRuntimeInSeconds", _DAY)
    if longest > 28 * _DAY:
        raise invalid("MaxRuntimeInSeconds is at most 28 days")
    spot = request.get("EnableManagedSpotTraining", False)
    if spot and stopping.get("MaxWaitTimeInSeconds", 0) < longest:
        raise invalid("MaxWaitTimeInSeconds must be present and equal to or greater than MaxRuntimeInSeconds for spot")
    if not spot and "MaxWaitTimeInSeconds" in stopping:
        raise invalid("MaxWaitTimeInSeconds can only be set when EnableManagedSpotTraining is true")
    if spot and request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
        raise invalid("Managed warm pools cannot be used with managed spot training")


def _check_output(request: Payload) -> None:
    resources = request["ResourceConfig"]
    if resources.get("VolumeKmsKeyId") and resources["InstanceType"].split(".")[1] in ("g4dn", "g5", "g6", "p4d", "p5"):
        raise invalid(f"VolumeKmsKeyId is not supported for instance type {resources['InstanceType']}")
