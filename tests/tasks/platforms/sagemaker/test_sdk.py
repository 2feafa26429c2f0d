"""Our programs under the SageMaker SDK's ModelTrainer and ModelBuilder: whoever has built on the SDK takes them as they are."""

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.tasks.platforms.sagemaker.jobs import code_files
from tests.support.sagemaker.emulator import BUCKET, ROLE_ARN, Emulator
from tests.support.tiny_model import build_tiny_model, write_tiny_dataset

pytestmark = pytest.mark.slow  # the SDK takes seconds to import, and looks at an endpoint every 30
TRAINING_IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8"
SERVING_IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/finetune-serving:1"
INSTANCE = "ml.g5.2xlarge"


@pytest.fixture
def session(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SAGEMAKER_VALIDATE_ROLE", "false")
    import boto3
    from sagemaker.core.helper.session_helper import Session

    return Session(boto_session=boto3.Session(region_name="us-east-1"), default_bucket=BUCKET)


def train(session: Any, folder: Path) -> None:
    """Our training program, started by ModelTrainer's own scripts."""
    from sagemaker.core.training.configs import Compute, InputData, SourceCode, StoppingCondition
    from sagemaker.train import ModelTrainer

    for name, path in code_files().items():
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / "code" / name)
    channels = {"model": build_tiny_model(folder / "base"), "dataset": write_tiny_dataset(folder / "dataset", 16)}
    ModelTrainer(
        training_image=TRAINING_IMAGE,
        source_code=SourceCode(source_dir=str(folder / "code"), command="python3 entry.py train"),
        compute=Compute(instance_type=INSTANCE, instance_count=1),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=600),
        hyperparameters={"method": "full", "max_steps": "2", "max_length": "400", "batch_size": "2"},
        input_data_config=[InputData(channel_name=name, data_source=str(path)) for name, path in channels.items()],
        role=ROLE_ARN,
        sagemaker_session=session,
        base_job_name="sdk",
    ).train(wait=True, logs=False)


def unpack(emulator: Emulator, archive: str, folder: Path) -> str:
    """The model of the job's archive, as files in S3; their prefix."""
    s3, key = emulator.account.s3, archive.removeprefix(f"s3://{BUCKET}/")
    s3.download_file(BUCKET, key, str(folder / "model.tar.gz"))
    with tarfile.open(folder / "model.tar.gz") as file:
        file.extractall(folder / "unpacked", filter="data")
    for path in (folder / "unpacked" / "model").iterdir():
        s3.upload_file(str(path), BUCKET, f"sdk-model/{path.name}")
    return f"s3://{BUCKET}/sdk-model/"


def test_our_programs_train_and_serve_under_the_sdk(emulator: Emulator, session: Any, tmp_path: Path) -> None:
    train(session, tmp_path)
    (job,) = emulator.jobs.table.rows.values()
    assert job.status == "Completed", emulator.log("/aws/sagemaker/TrainingJobs")
    assert job.artifacts is not None

    from sagemaker.serve import ModelBuilder

    place = {"S3Uri": unpack(emulator, job.artifacts, tmp_path), "S3DataType": "S3Prefix", "CompressionType": "None"}
    builder = ModelBuilder(
        image_uri=SERVING_IMAGE,
        s3_model_data_url={"S3DataSource": place},
        role_arn=ROLE_ARN,
        instance_type=INSTANCE,
        sagemaker_session=session,
    )
    builder.build(model_name="sdk-model")
    endpoint = builder.deploy(endpoint_name="sdk-endpoint", initial_instance_count=1)
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0}
    answer = json.loads(endpoint.invoke(body=json.dumps(body), content_type="application/json").body.read())
    assert answer["usage"]["completion_tokens"] == 4
    endpoint.delete()
