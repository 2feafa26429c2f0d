"""The emulator's endpoints, asked by an unmodified boto3: a check on the emulator itself."""

import io
import json
import tarfile
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests import SUPPORT
from tests.support.sagemaker.emulator import BUCKET, NOTHING, ROLE_ARN, Emulator
from tests.support.sagemaker.images import Image

ECHO = SUPPORT / "sagemaker" / "echo_server.py"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/echo:1"
FAST = {"Delay": 0.05, "MaxAttempts": 600}
Client = Any


@pytest.fixture
def sagemaker(emulator: Emulator) -> Client:
    """With a model in S3, and an image that serves."""
    emulator.account.images[IMAGE] = Image(("python3", "-u", str(ECHO), "{port}"))
    s3 = emulator.client("s3")
    s3.put_object(Bucket=BUCKET, Key="model/config.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key="model/weights/part-1", Body=b"w")
    return emulator.client("sagemaker")


def create_model(sagemaker: Client, name: str, source: str = f"s3://{BUCKET}/model/", **environment: str) -> None:
    data = {"S3DataSource": {"S3Uri": source, "S3DataType": "S3Prefix", "CompressionType": "None"}}
    container = {"Image": IMAGE, "ModelDataSource": data, "Environment": environment}
    sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE_ARN)


def create_config(sagemaker: Client, name: str, model: str | None = None) -> None:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": model or name,
        "InstanceType": "ml.g5.2xlarge",
        "InitialInstanceCount": 1,
        "ContainerStartupHealthCheckTimeoutInSeconds": 60,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def create_endpoint(sagemaker: Client, name: str = "one", **environment: str) -> None:
    create_model(sagemaker, name, **environment)
    create_config(sagemaker, name)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)


def wait(sagemaker: Client, name: str = "one", state: str = "endpoint_in_service") -> None:
    sagemaker.get_waiter(state).wait(EndpointName=name, WaiterConfig=FAST)


def ask(emulator: Emulator, body: dict[str, Any], name: str = "one") -> Any:
    runtime = emulator.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=name, Body=json.dumps(body), ContentType="application/json")
    return json.loads(answer["Body"].read())


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_an_endpoint_serves_its_model_until_it_is_deleted(emulator: Emulator, sagemaker: Client) -> None:
    create_endpoint(sagemaker, GREETING="hello")
    wait(sagemaker)
    seen = ask(emulator, {"question": 1})
    assert seen == {"model": ["config.json", "weights"], "greeting": "hello", "asked": {"question": 1}}
    described = sagemaker.describe_endpoint(EndpointName="one")
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    while not emulator.log("/aws/sagemaker/Endpoints/one"):
        time.sleep(0.05)  # a log arrives when it does, there as here
    assert emulator.log("/aws/sagemaker/Endpoints/one") == ["serving"]
    assert [each["EndpointName"] for each in sagemaker.list_endpoints(StatusEquals="InService")["Endpoints"]] == ["one"]

    with pytest.raises(ClientError, match="in use"):
        sagemaker.delete_endpoint_config(EndpointConfigName="one")
    sagemaker.delete_endpoint(EndpointName="one")
    wait(sagemaker, state="endpoint_deleted")
    sagemaker.delete_endpoint_config(EndpointConfigName="one")
    sagemaker.delete_model(ModelName="one")
    assert emulator.holds() == NOTHING
    with pytest.raises(ClientError, match="Could not find endpoint"):
        sagemaker.describe_endpoint(EndpointName="one")
    with pytest.raises(ClientError) as caught:
        ask(emulator, {})
    assert code(caught) == "ValidationError"


def test_answers_are_streamed_as_they_come(emulator: Emulator, sagemaker: Client) -> None:
    create_endpoint(sagemaker)
    wait(sagemaker)
    runtime = emulator.client("sagemaker-runtime")
    body = json.dumps({"stream": ["one ", "two ", "three"]})
    events = runtime.invoke_endpoint_with_response_stream(EndpointName="one", Body=body)["Body"]
    assert [event["PayloadPart"]["Bytes"] for event in events] == [b"one ", b"two ", b"three"]


@pytest.mark.parametrize("status", [400, 500])
def test_an_error_of_the_container_is_a_model_error(emulator: Emulator, sagemaker: Client, status: int) -> None:
    create_endpoint(sagemaker)
    wait(sagemaker)
    with pytest.raises(ClientError, match="told to fail") as caught:
        ask(emulator, {"fail": status})
    assert (code(caught), caught.value.response["OriginalStatusCode"]) == ("ModelError", status)


def test_an_archive_is_taken_apart(emulator: Emulator, sagemaker: Client) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("config.json"), io.BytesIO())
    emulator.client("s3").put_object(Bucket=BUCKET, Key="model.tar.gz", Body=packed.getvalue())
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
    sagemaker.create_model(ModelName="one", PrimaryContainer=container, ExecutionRoleArn=ROLE_ARN)
    create_config(sagemaker, "one")
    sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="one")
    wait(sagemaker)
    assert ask(emulator, {})["model"] == ["config.json"]


def test_a_container_that_ends_fails_its_ping_and_says_why_in_the_log(emulator: Emulator, sagemaker: Client) -> None:
    emulator.client("s3").put_object(Bucket=BUCKET, Key="empty/x", Body=b"")
    create_model(sagemaker, "one", source=f"s3://{BUCKET}/empty/")
    create_config(sagemaker, "one")
    sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="one")
    with pytest.raises(WaiterError):
        wait(sagemaker)
    found = sagemaker.describe_endpoint(EndpointName="one")
    assert found["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in found["FailureReason"]
    assert emulator.log("/aws/sagemaker/Endpoints/one") == ["no model here"]
    assert emulator.holds()["endpoints"] == ["one"], "it has to be deleted all the same"


def test_an_injected_failure_leaves_no_program(emulator: Emulator, sagemaker: Client) -> None:
    emulator.faults.fail_health_check()
    create_endpoint(sagemaker)
    with pytest.raises(WaiterError):
        wait(sagemaker)
    emulator.faults.out_of_capacity("ml.g5.2xlarge")
    create_endpoint(sagemaker, "two")
    with pytest.raises(WaiterError):
        wait(sagemaker, "two")
    assert "InsufficientInstanceCapacity" in sagemaker.describe_endpoint(EndpointName="two")["FailureReason"]
    assert [each.servers for each in emulator.endpoints.endpoints.rows.values()] == [[], []]


def test_an_update_serves_without_a_gap_and_goes_back_when_the_new_one_fails(
    emulator: Emulator, sagemaker: Client
) -> None:
    create_endpoint(sagemaker, GREETING="old")
    wait(sagemaker)
    create_model(sagemaker, "two", GREETING="new")
    create_config(sagemaker, "two")
    sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="two")
    greetings = set()
    while sagemaker.describe_endpoint(EndpointName="one")["EndpointStatus"] != "InService":
        greetings.add(ask(emulator, {})["greeting"])
    assert greetings <= {"old", "new"}
    assert ask(emulator, {})["greeting"] == "new"
    with pytest.raises(ClientError, match="create a new one"):
        sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="two")

    emulator.faults.fail_health_check()
    sagemaker.update_endpoint(EndpointName="one", EndpointConfigName="one")
    with pytest.raises(ClientError, match="in-progress"):
        sagemaker.delete_endpoint(EndpointName="one")
    wait(sagemaker)
    described = sagemaker.describe_endpoint(EndpointName="one")
    assert (described["EndpointConfigName"], ask(emulator, {})["greeting"]) == ("two", "new")
    assert "ping health check" in described["FailureReason"]


def test_an_alarm_rolls_an_update_back(emulator: Emulator, sagemaker: Client) -> None:
    create_endpoint(sagemaker, GREETING="old")
    wait(sagemaker)
    cloudwatch = emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Invocation5XXErrors",
        Namespace="AWS/SageMaker",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    create_model(sagemaker, "two", GREETING="new")
    create_config(sagemaker, "two")
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]}}
    policy = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
    sagemaker.update_endpoint(
        EndpointName="one",
        EndpointConfigName="two",
        DeploymentConfig={"BlueGreenUpdatePolicy": policy, **rollback},
    )
    wait(sagemaker)
    assert ask(emulator, {})["greeting"] == "old"


def test_what_aws_refuses_is_refused(emulator: Emulator, sagemaker: Client) -> None:
    with pytest.raises(ClientError, match="Could not find model data"):
        create_model(sagemaker, "one", source=f"s3://{BUCKET}/nothing/")
    with pytest.raises(ClientError, match="has to end in /"):
        create_model(sagemaker, "one", source=f"s3://{BUCKET}/model")
    with pytest.raises(ClientError, match="Could not find model"):
        create_config(sagemaker, "one")
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="one")
    create_model(sagemaker, "one")
    with pytest.raises(ClientError, match="already existing model"):
        create_model(sagemaker, "one")
    create_config(sagemaker, "one")
    emulator.account.quotas["ml.g5.2xlarge for endpoint usage"] = 0
    with pytest.raises(ClientError) as caught:
        sagemaker.create_endpoint(EndpointName="one", EndpointConfigName="one")
    assert code(caught) == "ResourceLimitExceeded"
    with pytest.raises(ClientError, match="not found"):
        sagemaker.create_model(ModelName="x", PrimaryContainer={"Image": "no/such:1"}, ExecutionRoleArn=ROLE_ARN)
