"""The process platform: jobs and endpoints are processes on this machine. It needs no Docker and no account."""

from finetune_flows.tasks.platforms.process.runner import ProcessRunner

__all__ = ["ProcessRunner"]
