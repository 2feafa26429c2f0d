"""The sagemaker platform: jobs and endpoints of Amazon SageMaker, through boto3.

Requests go through boto3 and not the SageMaker SDK, because we choose the names of our jobs: a job is found again by its
name, and never paid for twice.
"""

from finetune_flows.tasks.platforms.sagemaker.place import remembered
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner

__all__ = ["SageMakerRunner", "remembered"]
