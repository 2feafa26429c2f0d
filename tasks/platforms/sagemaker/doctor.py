"""What `finetune doctor` says of AWS."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


def findings() -> list[Finding]:
    """Only what this machine knows: `finetune plan` asks AWS."""
    clients = Clients(SageMakerPlatform())
    try:
        credentials, region = clients.session.get_credentials(), clients.session.region_name
    except Exception as error:  # whatever is wrong with files and settings that are not ours is told, not raised
        return [Finding(what="AWS", found=str(error)[:120], ok=True, advice="look at ~/.aws/config and AWS_PROFILE")]
    found = f"from {credentials.method}" if credentials else "none"
    advice = "" if credentials else "for platform sagemaker: aws configure, or aws sso login"
    place = "" if region else "for platform sagemaker: set platform.region, or AWS_REGION"
    return [
        Finding(what="AWS credentials", found=found, ok=True, advice=advice),
        Finding(what="AWS region", found=region or "none", ok=True, advice=place),
    ]
