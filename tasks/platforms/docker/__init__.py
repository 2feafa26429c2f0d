"""The docker platform: jobs and endpoints are containers on this machine's engine, laid out as SageMaker does it."""

from finetune_flows.tasks.platforms.docker.runner import DockerRunner

__all__ = ["DockerRunner"]
