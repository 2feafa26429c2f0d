"""What `finetune doctor` reports about AWS."""

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.preflight.findings import Finding
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform


def findings() -> list[Finding]:
    """What this machine knows about credentials and region. Nothing here calls AWS; `finetune plan` does."""
    clients = Clients(SageMakerPlatform())
    try:
        credentials, region = clients.session.get_credentials(), clients.session.region_name
    except Exception as error:  # files and settings that are not ours may be wrong in any way: report it, do not fail
        return [Finding(what="AWS", found=str(error)[:120], ok=True, advice="check ~/.aws/config and AWS_PROFILE")]
    found = f"from {credentials.method}" if credentials else "none"
    advice = "" if credentials else "for platform sagemaker: run aws configure, or aws sso login"
    place = "" if region else "for platform sagemaker: set platform.region, or AWS_REGION"
    return [
        Finding(what="AWS credentials", found=found, ok=True, advice=advice),
        Finding(what="AWS region", found=region or "none", ok=True, advice=place),
    ]
