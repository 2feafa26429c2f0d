"""The emulator's training jobs, asked by an unmodified boto3: a check on the emulator itself."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import SUPPORT
from tests.support.sagemaker.emulator import BUCKET, ROLE_ARN, Emulator

PROGRAM = SUPPORT / "contract_image" / "program.py"
Request = dict[str, Any]
FAST = {"Delay": 0.05, "MaxAttempts": 600}


def channel(name: str) -> Request:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": f"s3://{BUCKET}/in/{name}/",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


@pytest.fixture
def request_(emulator: Emulator) -> Request:
    """A program of a second that obeys the contract."""
    s3 = emulator.client("s3")
    s3.upload_file(str(PROGRAM), BUCKET, "in/code/program.py")
    s3.put_object(Bucket=BUCKET, Key="in/dataset/rows.txt", Body=b"rows")
    return {
        "TrainingJobName": "job-1",
        "AlgorithmSpecification": {
            "TrainingImage": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["python3", "-u", "/opt/ml/input/data/code/program.py"],
            "ContainerArguments": ["train"],
            "MetricDefinitions": [{"Name": "loss", "Regex": r"loss=([0-9.]+)"}],
        },
        "RoleArn": ROLE_ARN,
        "InputDataConfig": [channel("code"), channel("dataset")],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/out", "CompressionType": "NONE"},
        "ResourceConfig": {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/job"},
        "Tags": [{"Key": "recipe", "Value": "r"}],
    }


def told(request: Request, **hyperparameters: str) -> Request:
    return request | {"HyperParameters": hyperparameters}


def run(emulator: Emulator, request: Request) -> Request:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**request)
    return ended(emulator, request["TrainingJobName"])


def ended(emulator: Emulator, name: str) -> Request:
    sagemaker = emulator.client("sagemaker")
    give_up = time.monotonic() + 60
    while (found := sagemaker.describe_training_job(TrainingJobName=name))["TrainingJobStatus"] in (
        "InProgress",
        "Stopping",
    ):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return dict(found)


def wait_for_step(emulator: Emulator, step: int = 1) -> None:
    s3 = emulator.client("s3")
    give_up = time.monotonic() + 60
    while True:
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix="checkpoints/job/step").get("Contents", [])
        if found and int(read(emulator, "checkpoints/job/step")) >= step:
            return
        assert time.monotonic() < give_up
        time.sleep(0.05)


def read(emulator: Emulator, key: str) -> bytes:
    return bytes(emulator.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())


def statuses(job: Request) -> list[str]:
    return [each["Status"] for each in job["SecondaryStatusTransitions"]]


def refused(emulator: Emulator, request: Request) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        emulator.client("sagemaker").create_training_job(**request)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_job_runs_its_program_with_an_opt_ml_of_its_own(emulator: Emulator, request_: Request) -> None:
    sagemaker = emulator.client("sagemaker")
    created = sagemaker.create_training_job(**told(request_, steps="3"))
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="job-1", WaiterConfig=FAST)
    job = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert (job["TrainingJobStatus"], statuses(job)) == (
        "Completed",
        ["Starting", "Starting", "Downloading", "Training", "Uploading", "Completed"],
    )
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/job-1/output/model/"
    seen = json.loads(read(emulator, "out/job-1/output/model/training.json"))
    assert (seen["arguments"], seen["channels"], seen["rows"]) == (["train"], ["code", "dataset"], "rows")
    assert job["FinalMetricDataList"][0]["Value"] == 1.0
    assert read(emulator, "checkpoints/job/step") == b"3"
    assert emulator.log("/aws/sagemaker/TrainingJobs") == [f"step={n} steps=3 loss=1.0" for n in (1, 2, 3)]
    assert sagemaker.list_tags(ResourceArn=created["TrainingJobArn"])["Tags"] == [{"Key": "recipe", "Value": "r"}]
    assert [each["TrainingJobName"] for each in sagemaker.list_training_jobs()["TrainingJobSummaries"]] == ["job-1"]
    assert not Path("/opt/ml/input").exists(), "nothing of it is on this machine"


def test_a_name_is_used_once_until_its_job_is_deleted(emulator: Emulator, request_: Request) -> None:
    run(emulator, request_)
    assert refused(emulator, request_)[0] == "ResourceInUse"
    sagemaker = emulator.client("sagemaker")
    sagemaker.delete_training_job(TrainingJobName="job-1")
    with pytest.raises(ClientError, match=r"ValidationException.*Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="job-1")


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"TrainingJobName": "a_b"}, "ValidationException", "regular expression"),
        ({"TrainingJobName": "a" * 64}, "ValidationException", "less than or equal to 63"),
        ({"HyperParameters": {"prompt": "two\nlines"}}, "ValidationException", "HyperParameters.prompt"),
        ({"HyperParameters": {"long": "x" * 2501}}, "ValidationException", "HyperParameters.long"),
        ({"Environment": {"LONG": "x" * 513}}, "ValidationException", "Environment.LONG"),
        ({"EnableManagedSpotTraining": True}, "ValidationException", "MaxWaitTimeInSeconds"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 29 * 86400}}, "ValidationException", "28 days"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/other"}, "ValidationException", "Could not assume role"),
        ({"InputDataConfig": [channel("nothing")]}, "ValidationException", "No S3 objects found"),
        (
            {"ResourceConfig": {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 9, "VolumeSizeInGB": 1}},
            "ResourceLimitExceeded",
            "ml.g5.2xlarge for training job usage",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.g99.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "ValidationException",
            "enum",
        ),
    ],
)
def test_what_aws_refuses_is_refused(
    emulator: Emulator, request_: Request, change: Request, code: str, words: str
) -> None:
    seen, message = refused(emulator, request_ | change)
    assert seen == code
    assert words in message
    assert emulator.jobs.table.rows == {}


def test_a_failed_program_is_told_in_its_own_words(emulator: Emulator, request_: Request) -> None:
    job = run(emulator, told(request_, fail="the rows are no good"))
    assert (job["TrainingJobStatus"], job["FailureReason"]) == (
        "Failed",
        "AlgorithmError: the rows are no good, exit code: 3",
    )
    assert "ModelArtifacts" not in job


def test_a_stopped_job_gets_sigterm_and_the_next_one_its_checkpoint(emulator: Emulator, request_: Request) -> None:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_training_job(**told(request_, steps="500"))
    wait_for_step(emulator, 2)
    sagemaker.stop_training_job(TrainingJobName="job-1")
    job = ended(emulator, "job-1")
    assert (job["TrainingJobStatus"], statuses(job)[-3:]) == ("Stopped", ["Stopping", "Uploading", "Stopped"])
    done = int(read(emulator, "checkpoints/job/step"))
    run(emulator, told(request_, steps=str(done + 1)) | {"TrainingJobName": "job-2"})
    assert json.loads(read(emulator, "out/job-2/output/model/training.json"))["started_at"] == done


def test_a_job_ends_at_its_longest_running_time(emulator: Emulator, request_: Request) -> None:
    job = run(emulator, told(request_, steps="500") | {"StoppingCondition": {"MaxRuntimeInSeconds": 1}})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


@pytest.mark.parametrize("notice", [True, False])
def test_a_spot_job_goes_on_elsewhere_from_its_checkpoint(emulator: Emulator, request_: Request, notice: bool) -> None:
    emulator.faults.interrupt_spot(at_step=12, notice=notice)
    stopping = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200}
    job = run(emulator, told(request_, steps="40") | {"EnableManagedSpotTraining": True, "StoppingCondition": stopping})
    assert job["TrainingJobStatus"] == "Completed"
    assert statuses(job).count("Training") == 2
    assert "Interrupted" in statuses(job)
    started = json.loads(read(emulator, "out/job-1/output/model/training.json"))["started_at"]
    assert 12 <= started < 40 if notice else 0 < started <= 12
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_no_capacity_ends_a_job_before_it_starts(emulator: Emulator, request_: Request) -> None:
    emulator.faults.out_of_capacity("ml.g5.2xlarge")
    job = run(emulator, request_)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("CapacityError: ")
    other = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    assert run(emulator, request_ | {"TrainingJobName": "job-2", "ResourceConfig": other})["TrainingJobStatus"] == (
        "Completed"
    )


def test_an_isolated_job_has_no_network_and_no_credentials(emulator: Emulator, request_: Request) -> None:
    algorithm = request_["AlgorithmSpecification"] | {
        "ContainerEntrypoint": ["python3", "-u", "-c"],
        "ContainerArguments": [
            "import os, socket; print(any('ACCESS_KEY' in name for name in os.environ)); "
            "socket.create_connection(('127.0.0.1', 9), 1)"
        ],
    }
    request_ |= {"AlgorithmSpecification": algorithm, "EnableNetworkIsolation": True}
    assert run(emulator, request_)["TrainingJobStatus"] == "Failed"
    said = emulator.log("/aws/sagemaker/TrainingJobs")
    assert said[0] == "False"
    assert "Network is unreachable" in said[-1]


def test_several_instances_see_each_other(emulator: Emulator, request_: Request) -> None:
    talk = (
        "import json, socket; c = json.load(open('/opt/ml/input/config/resourceconfig.json')); "
        "print(c['current_host'], c['hosts'], socket.gethostbyname('algo-2'))"
    )
    algorithm = request_["AlgorithmSpecification"] | {
        "ContainerEntrypoint": ["python3", "-c"],
        "ContainerArguments": [talk],
    }
    resources = {"InstanceType": "ml.g5.2xlarge", "InstanceCount": 2, "VolumeSizeInGB": 30}
    run(emulator, request_ | {"AlgorithmSpecification": algorithm, "ResourceConfig": resources})
    assert sorted(emulator.log("/aws/sagemaker/TrainingJobs")) == [
        f"algo-{n} ['algo-1', 'algo-2'] 127.0.0.1" for n in (1, 2)
    ]


def test_throttling_and_a_lost_response_are_survived_by_boto3_and_leave_one_job(
    emulator: Emulator, request_: Request
) -> None:
    emulator.faults.throttle("CreateTrainingJob", 2)
    emulator.faults.lose_response("CreateTrainingJob")
    assert refused(emulator, request_)[0] == "ResourceInUse", "boto3 tries again, and meets its own first try"
    assert len(emulator.record.of("CreateTrainingJob")) == 4
    assert ended(emulator, "job-1")["TrainingJobStatus"] == "Completed"
    assert len(emulator.jobs.table.rows) == 1


def test_everything_sent_is_kept(emulator: Emulator, request_: Request) -> None:
    run(emulator, request_)
    sent = b"\n".join(emulator.record.texts())
    assert b"rows" in sent
    assert emulator.record.of("CreateTrainingJob")[0].payload["RoleArn"] == ROLE_ARN
