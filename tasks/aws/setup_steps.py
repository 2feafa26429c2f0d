"""What setting up an account consists of: things that are there, and requests that make what is missing."""

from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from finetune_flows.tasks.base.values import Frozen

MADE_BY = {"Key": "finetune:made-by", "Value": "finetune-setup-aws"}
"""The tag of what this command made. Nothing without it is ever changed."""

State = Literal["there", "missing", "differs", "not ours"]


class Step(Frozen):
    """One thing that is there, or one request that makes or changes it."""

    what: str
    state: State
    service: str = ""
    operation: str = Field("", description="Method of the boto3 client; empty when there is nothing to do.")
    request: dict[str, Any] = Field({}, description="Its arguments.")
    says: str = Field("", description="What the request changes, or what the reader should do.")

    @property
    def is_due(self) -> bool:
        """Whether the request is to be sent."""
        return bool(self.operation)


def ask(question: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """The answer; None when the thing is not there."""
    from botocore.exceptions import ClientError

    try:
        return question()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code.startswith("NoSuch") or code in _ABSENT:
            return None
        raise


_ABSENT = {"404", "ServerSideEncryptionConfigurationNotFoundError"}
