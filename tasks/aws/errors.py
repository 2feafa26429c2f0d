"""Errors of AWS as ours: what passes by itself is TryLater, a quota names itself and where it is raised."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError, TryLater

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_PASSING = {
    "InsufficientInstanceCapacity",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_CREDENTIALS = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
_DENIED = {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation", "NotAuthorized"}
_MISSING = {"404", "NoSuchKey", "NotFound", "ResourceNotFound", "ResourceNotFoundException"}
_MISSING_WORDS = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)
NEEDS_BOTO3 = "platform sagemaker needs boto3: pip install 'finetune-flows[sagemaker]'"
QUOTAS_PAGE = "https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas"


def code_of(error: "ClientError") -> str:
    """AWS's name for what happened, such as ValidationException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def words_of(error: "ClientError") -> str:
    """AWS's own sentence."""
    return str(error.response.get("Error", {}).get("Message", error))


def is_missing(error: "ClientError") -> bool:
    """Whether the thing is not there. SageMaker and CloudFormation say so by a failed validation and a sentence."""
    by_sentence = (
        code_of(error) in ("ValidationException", "ValidationError")
        and _MISSING_WORDS.search(words_of(error)) is not None
    )
    return code_of(error) in _MISSING or by_sentence


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Errors of boto3, as ours.

    Raises:
        TryLater: throttled, no capacity, or AWS was not reached.
        EnvironmentProblem: boto3 is not installed, no credentials, no permission, a quota, or a request that AWS refuses.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    except ImportError as error:
        raise EnvironmentProblem(NEEDS_BOTO3) from error

    try:
        yield
    except FinetuneError:
        raise
    except ClientError as error:
        raise translated(error, doing) from error
    except HTTPClientError as error:
        raise TryLater(f"{doing}: AWS was not reached: {error}") from error
    except BotoCoreError as error:
        raise EnvironmentProblem(f"{doing}: {error}. Next: aws sts get-caller-identity") from error


def translated(error: "ClientError", doing: str) -> FinetuneError:
    """The error of ours that says what to do next."""
    code, words = code_of(error), words_of(error)
    if code in _PASSING or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return TryLater(f"{doing}: {code}: {words}")
    if code == "ResourceLimitExceeded":
        return EnvironmentProblem(f"{doing}: {words}\n  Next: ask for more of this quota at {QUOTAS_PAGE}")
    if code in _CREDENTIALS:
        return EnvironmentProblem(f"{doing}: {words}\n  Next: renew the credentials (aws sso login, aws configure)")
    if code in _DENIED:
        return EnvironmentProblem(f"{doing}: not permitted: {words}\n  Next: docs/aws.md lists the permissions")
    return EnvironmentProblem(f"{doing}: {code}: {words}")
