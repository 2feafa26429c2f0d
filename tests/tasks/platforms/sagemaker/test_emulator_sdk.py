"""Unmodified resources of the SageMaker SDK work against the emulator: a check on the emulator, and on our requests' kin."""

import json
import sys
from typing import Any

import pytest

from tests import SUPPORT
from tests.support.sagemaker.emulator import BUCKET, NOTHING, ROLE_ARN, Emulator
from tests.support.sagemaker.images import Image

pytestmark = pytest.mark.slow  # the SDK takes seconds to import, and polls slowly

TRAINING_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8"
SERVING_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/echo:1"


@pytest.fixture
def resources(emulator: Emulator) -> Any:
    s3 = emulator.client("s3")
    s3.upload_file(str(SUPPORT / "contract_image" / "program.py"), BUCKET, "in/code/program.py")
    s3.put_object(Bucket=BUCKET, Key="in/dataset/rows.txt", Body=b"rows")
    s3.put_object(Bucket=BUCKET, Key="model/config.json", Body=b"{}")
    echo = str(SUPPORT / "sagemaker" / "echo_server.py")
    emulator.account.images[SERVING_IMAGE] = Image((sys.executable, "-u", echo, "{port}"))
    from sagemaker.core import resources

    return resources


def test_a_training_job_of_the_sdk(emulator: Emulator, resources: Any) -> None:
    from sagemaker.core import shapes

    channels = [
        shapes.Channel(
            channel_name=name,
            data_source=shapes.DataSource(
                s3_data_source=shapes.S3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{BUCKET}/in/{name}/")
            ),
        )
        for name in ("code", "dataset")
    ]
    job = resources.TrainingJob.create(
        training_job_name="sdk-job",
        algorithm_specification=shapes.AlgorithmSpecification(
            training_image=TRAINING_IMAGE,
            training_input_mode="File",
            container_entrypoint=["python3", "-u", "/opt/ml/input/data/code/program.py"],
        ),
        role_arn=ROLE_ARN,
        input_data_config=channels,
        output_data_config=shapes.OutputDataConfig(s3_output_path=f"s3://{BUCKET}/out"),
        resource_config=shapes.ResourceConfig(instance_type="ml.g5.2xlarge", instance_count=1, volume_size_in_gb=30),
        stopping_condition=shapes.StoppingCondition(max_runtime_in_seconds=600),
    )
    job.wait(poll=1)
    assert job.training_job_status == "Completed"
    assert job.model_artifacts.s3_model_artifacts == f"s3://{BUCKET}/out/sdk-job/output/model.tar.gz"
    assert [each.training_job_name for each in resources.TrainingJob.get_all()] == ["sdk-job"]


def test_an_endpoint_of_the_sdk(emulator: Emulator, resources: Any) -> None:
    from sagemaker.core import shapes

    source = shapes.S3ModelDataSource(s3_uri=f"s3://{BUCKET}/model/", s3_data_type="S3Prefix", compression_type="None")
    model = resources.Model.create(
        model_name="sdk-model",
        primary_container=shapes.ContainerDefinition(
            image=SERVING_IMAGE, model_data_source=shapes.ModelDataSource(s3_data_source=source)
        ),
        execution_role_arn=ROLE_ARN,
    )
    config = resources.EndpointConfig.create(
        endpoint_config_name="sdk-config",
        production_variants=[
            shapes.ProductionVariant(
                variant_name="AllTraffic",
                model_name="sdk-model",
                instance_type="ml.g5.2xlarge",
                initial_instance_count=1,
            )
        ],
    )
    endpoint = resources.Endpoint.create(endpoint_name="sdk-endpoint", endpoint_config_name="sdk-config")
    endpoint.wait_for_status("InService", poll=1)
    answer = endpoint.invoke(body=json.dumps({"question": 1}), content_type="application/json")
    assert json.loads(answer.body.read())["asked"] == {"question": 1}
    endpoint.delete()
    endpoint.wait_for_delete(poll=1)
    config.delete()
    model.delete()
    assert emulator.holds() == NOTHING
