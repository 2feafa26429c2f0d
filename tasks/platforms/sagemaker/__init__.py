"""The sagemaker platform: jobs and endpoints of Amazon SageMaker, by boto3.

boto3 and not the SageMaker SDK carries the requests, because the names of our jobs are given: a job is found again by
its name, and never paid for twice.
"""

from finetune_flows.tasks.platforms.sagemaker.place import remembered
from finetune_flows.tasks.platforms.sagemaker.runner import SageMakerRunner

__all__ = ["SageMakerRunner", "remembered"]
