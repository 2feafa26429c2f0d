"""The process platform: jobs and endpoints are processes on this machine. Needs no Docker and no account."""

from finetune_flows.tasks.platforms.process.runner import ProcessRunner

__all__ = ["ProcessRunner"]
