"""Translates errors of AWS: temporary ones become TryLater, and the others name the next step."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from finetune_flows.tasks.base.errors import EnvironmentProblem, FinetuneError, TryLater

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

# botocore's lists of throttling and passing errors, and what our services add. Without LimitExceededException: where we meet
# it, a quota is used up. tests/tasks/test_retrying.py compares the list with the models of the services.
_TEMPORARY = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "InsufficientInstanceCapacity",
    "InternalError",
    "InternalErrorException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_CREDENTIALS = {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"}
_DENIED = {"AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation", "NotAuthorized"}
_MISSING = {"404", "NoSuchKey", "NotFound", "ResourceNotFound", "ResourceNotFoundException"}
_MISSING_WORDS = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)
NEEDS_BOTO3 = "platform sagemaker needs boto3: pip install 'finetune-flows[sagemaker]'"
QUOTAS_PAGE = "https://console.aws.amazon.com/servicequotas/home/services/sagemaker/quotas"


def code_of(error: "ClientError") -> str:
    """AWS's error code, such as ValidationException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def words_of(error: "ClientError") -> str:
    """AWS's error message."""
    return str(error.response.get("Error", {}).get("Message", error))


def is_missing(error: "ClientError") -> bool:
    """Whether the error says that the requested thing does not exist."""
    # SageMaker and CloudFormation have no code for this: they answer with a validation error and a sentence.
    by_sentence = (
        code_of(error) in ("ValidationException", "ValidationError")
        and _MISSING_WORDS.search(words_of(error)) is not None
    )
    return code_of(error) in _MISSING or by_sentence


@contextmanager
def aws_errors(doing: str) -> Iterator[None]:
    """Translates errors of boto3 that the block raises. `doing` begins the message.

    Raises:
        TryLater: AWS throttles, has no capacity, or cannot be reached.
        EnvironmentProblem: boto3, credentials or a permission is missing, a quota is too small, or AWS refuses the request.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError, SSLError
    except ImportError as error:
        raise EnvironmentProblem(NEEDS_BOTO3) from error

    try:
        yield
    except FinetuneError:
        raise
    except ClientError as error:
        raise translated(error, doing) from error
    except SSLError as error:  # one of botocore's ConnectionErrors, but a wrong certificate stays wrong
        raise EnvironmentProblem(f"{doing}: {error}. Next: look at AWS_CA_BUNDLE and the proxy") from error
    except _passing() as error:
        raise TryLater(f"{doing}: AWS cannot be reached: {error}") from error
    except BotoCoreError as error:
        raise EnvironmentProblem(f"{doing}: {error}. Next: aws sts get-caller-identity") from error


def _passing() -> tuple[type[Exception], ...]:
    """botocore's classes for a connection that fails before, during or after the answer; they have no common base."""
    from botocore import exceptions

    return (
        exceptions.HTTPClientError,
        exceptions.ConnectionError,
        exceptions.IncompleteReadError,
        exceptions.ChecksumError,
        exceptions.FlexibleChecksumError,
    )


def translated(error: "ClientError", doing: str) -> FinetuneError:
    """The error as one of this project's, with the next step."""
    code, words = code_of(error), words_of(error)
    if code in _TEMPORARY or error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return TryLater(f"{doing}: {code}: {words}")
    if code == "ResourceLimitExceeded":
        return EnvironmentProblem(f"{doing}: {words}\n  Next: request a higher quota at {QUOTAS_PAGE}")
    if code in _CREDENTIALS:
        return EnvironmentProblem(f"{doing}: {words}\n  Next: renew the credentials (aws sso login, aws configure)")
    if code in _DENIED:
        return EnvironmentProblem(
            f"{doing}: not permitted: {words}\n  Next: grant the permission; docs/aws.md lists them all"
        )
    return EnvironmentProblem(f"{doing}: {code}: {words}")
