"""The Model Registry, tags, quotas, prices and the policy simulator of the emulator, asked by an unmodified boto3."""

import io
import json

import pytest
from botocore.exceptions import ClientError

from tests.support.sagemaker.emulator import BUCKET, ROLE_ARN, Emulator

IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/vllm:0.30.0-cu130-sagemaker"


def test_versions_of_a_model_are_registered_approved_and_listed(emulator: Emulator) -> None:
    sagemaker = emulator.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="demo", Tags=[{"Key": "recipe", "Value": "demo"}])
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model/"}
    packages = [
        sagemaker.create_model_package(
            ModelPackageGroupName="demo",
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            CustomerMetadataProperties={"dataset": "d1"},
        )["ModelPackageArn"]
        for _ in range(2)
    ]
    sagemaker.update_model_package(
        ModelPackageArn=packages[1], ModelApprovalStatus="Approved", ApprovalDescription="better, and surely so"
    )
    found = sagemaker.list_model_packages(ModelPackageGroupName="demo", ModelApprovalStatus="Approved")
    assert [each["ModelPackageVersion"] for each in found["ModelPackageSummaryList"]] == [2]
    described = sagemaker.describe_model_package(ModelPackageName=packages[1])
    assert described["ApprovalDescription"] == "better, and surely so"
    assert described["CustomerMetadataProperties"] == {"dataset": "d1"}

    with pytest.raises(ClientError, match="ConflictException"):
        sagemaker.delete_model_package_group(ModelPackageGroupName="demo")
    for package in packages:
        sagemaker.delete_model_package(ModelPackageName=package)
    sagemaker.delete_model_package_group(ModelPackageGroupName="demo")
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName="demo")


def test_quotas_come_in_pages_and_decide_what_may_start(emulator: Emulator) -> None:
    emulator.account.quotas["ml.g5.2xlarge for training job usage"] = 0
    quotas = emulator.client("service-quotas")
    pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    found = {each["QuotaName"]: each for answer in pages for each in answer["Quotas"]}
    assert len(found) > 500
    assert found["ml.g5.2xlarge for training job usage"]["Value"] == 0
    wanted = found["ml.g5.2xlarge for endpoint usage"]
    assert quotas.get_service_quota(ServiceCode="sagemaker", QuotaCode=wanted["QuotaCode"])["Quota"] == wanted


def test_prices_are_found_by_filter(emulator: Emulator) -> None:
    filters = [
        {"Type": "TERM_MATCH", "Field": name, "Value": value}
        for name, value in {"regionCode": "us-east-1", "instanceName": "ml.g5.2xlarge", "component": "Hosting"}.items()
    ]
    (product,) = emulator.client("pricing").get_products(ServiceCode="AmazonSageMaker", Filters=filters)["PriceList"]
    (term,) = json.loads(product)["terms"]["OnDemand"].values()
    (dimension,) = term["priceDimensions"].values()
    assert (float(dimension["pricePerUnit"]["USD"]), dimension["unit"]) == (1.515, "Hrs")


def test_the_policy_simulator_answers_for_each_action(emulator: Emulator) -> None:
    emulator.billing.denied.add("iam:PassRole")
    found = emulator.client("iam").simulate_principal_policy(
        PolicySourceArn=ROLE_ARN, ActionNames=["iam:PassRole", "sagemaker:CreateTrainingJob"]
    )["EvaluationResults"]
    assert [each["EvalDecision"] for each in found] == ["explicitDeny", "allowed"]


def test_moto_answers_for_the_other_services_at_the_same_address(emulator: Emulator) -> None:
    assert emulator.client("sts").get_caller_identity()["Account"] == "123456789012"
    secrets = emulator.client("secretsmanager")
    secrets.create_secret(Name="hub", SecretString="of-the-hub")
    assert secrets.get_secret_value(SecretId="hub")["SecretString"] == "of-the-hub"
    body = bytes(range(256)) * 65536  # 16 MiB: boto3 sends it in parts
    emulator.client("s3").upload_fileobj(io.BytesIO(body), BUCKET, "large")
    assert emulator.client("s3").get_object(Bucket=BUCKET, Key="large")["Body"].read() == body
    assert any(body[:1000] in text for text in emulator.record.texts())


def test_a_tag_needs_a_resource(emulator: Emulator) -> None:
    with pytest.raises(ClientError, match="Could not find resource"):
        emulator.client("sagemaker").list_tags(ResourceArn="arn:aws:sagemaker:us-east-1:123456789012:endpoint/none")
