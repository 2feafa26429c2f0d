"""Asynchronous endpoints: we write the question to S3, SageMaker takes it when an instance is free and writes the answer.

A waiting question is not lost if the endpoint has no instance yet, and an answer may take an hour.
"""

import time
import uuid

import httpx

from finetune_flows.tasks.artifacts.remote import split_uri
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.aws.errors import aws_errors, is_missing
from finetune_flows.tasks.platforms.sagemaker.parts import describe
from finetune_flows.tasks.platforms.sagemaker.place import polls

LONGEST_SECONDS = 3600.0  # AWS's limit for one answer


def queue_of(clients: Clients, endpoint: str) -> "Queue | None":
    """The queue of an endpoint; None if it is not asynchronous."""
    with aws_errors(f"looking at endpoint {endpoint}"):
        found = describe(clients.client("sagemaker"), endpoint)
        if found is None:
            return None  # the request itself then fails with AWS's message that there is no such endpoint
        name = found["EndpointConfigName"]
        config = clients.client("sagemaker").describe_endpoint_config(EndpointConfigName=name)
    queued = config.get("AsyncInferenceConfig")
    return Queue(clients, endpoint, queued["OutputConfig"]["S3OutputPath"]) if queued else None


class Queue:
    """The questions of one endpoint. `answers` is the s3:// prefix for answers in its configuration."""

    def __init__(self, clients: Clients, endpoint: str, answers: str) -> None:
        self.clients, self.endpoint = clients, endpoint
        self.bucket, prefix = split_uri(answers)
        self.questions = f"{prefix.rstrip('/').rpartition('/')[0]}/questions"

    def ask(self, request: httpx.Request) -> httpx.Response:
        """Sends a request and waits for the answer for the request's own timeout. Deletes question and answer afterwards.

        Raises:
            httpx.ReadTimeout: there was no answer in that time.
        """
        allowed = request.extensions.get("timeout", {}).get("read") or LONGEST_SECONDS
        key = f"{self.questions}/{uuid.uuid4().hex}"
        s3 = self.clients.client("s3")
        with aws_errors(f"asking endpoint {self.endpoint}"):
            s3.put_object(Bucket=self.bucket, Key=key, Body=request.content)
            try:
                accepted = self.clients.client("sagemaker-runtime").invoke_endpoint_async(
                    EndpointName=self.endpoint,
                    ContentType="application/json",
                    InputLocation=f"s3://{self.bucket}/{key}",
                    InvocationTimeoutSeconds=int(min(max(allowed, 1), LONGEST_SECONDS)),
                )
                places = [(200, accepted["OutputLocation"]), (500, accepted.get("FailureLocation"))]
                return self._answer([(status, uri) for status, uri in places if uri], request, allowed)
            finally:
                s3.delete_object(Bucket=self.bucket, Key=key)

    def _answer(self, places: list[tuple[int, str]], request: httpx.Request, allowed: float) -> httpx.Response:
        give_up = time.monotonic() + allowed
        for _ in polls():
            for status, uri in places:
                body = self._take(uri)
                if body is not None:
                    return httpx.Response(status, content=body, request=request)
            if time.monotonic() > give_up:
                break
        raise httpx.ReadTimeout(f"no answer from {self.endpoint} within {allowed:g} s", request=request)

    def _take(self, uri: str) -> bytes | None:
        """Reads an object and deletes it; None if it does not exist yet."""
        from botocore.exceptions import ClientError

        s3 = self.clients.client("s3")
        bucket, key = split_uri(uri)
        try:
            body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        s3.delete_object(Bucket=bucket, Key=key)
        return body
