"""Named things with an ARN, tags and times: created once, found, listed in pages, deleted."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.errors import ServiceError, invalid

ACCOUNT, REGION = "123456789012", "us-east-1"
PAGE = 10  # AWS's default
Tags = dict[str, str]


def now() -> datetime:
    """The time, with a zone."""
    return datetime.now(UTC)


def arn(kind: str, name: str) -> str:
    """ARN of something of SageMaker's."""
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"


@dataclass
class Resource:
    """What is known of one thing."""

    name: str
    arn: str
    request: Payload
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    status: str = ""


R = TypeVar("R", bound=Resource)


class TagStore:
    """Tags by ARN."""

    def __init__(self) -> None:
        self.by_arn: dict[str, Tags] = {}

    def put(self, resource: str, tags: list[dict[str, str]]) -> None:
        """Adds tags; AWS keeps `aws:` for itself, and allows 50."""
        if any(tag["Key"].lower().startswith("aws:") for tag in tags):
            raise invalid("Tag keys must not begin with aws:")
        held = self.by_arn.setdefault(resource, {})
        held |= {tag["Key"]: tag["Value"] for tag in tags}
        if len(held) > 50:
            raise ServiceError("ResourceLimitExceeded", "A resource has at most 50 tags")

    def add(self, request: Payload) -> Payload:
        """AddTags."""
        self._require(request["ResourceArn"])
        self.put(request["ResourceArn"], request["Tags"])
        return {"Tags": self._of(request["ResourceArn"])}

    def list(self, request: Payload) -> Payload:
        """ListTags."""
        self._require(request["ResourceArn"])
        return page(self._of(request["ResourceArn"]), request, "Tags", default=50)

    def delete(self, request: Payload) -> None:
        """DeleteTags."""
        self._require(request["ResourceArn"])
        for key in request["TagKeys"]:
            self.by_arn[request["ResourceArn"]].pop(key, None)

    def _require(self, resource: str) -> None:
        if resource not in self.by_arn:
            raise invalid(f"Could not find resource {resource}")

    def _of(self, resource: str) -> Any:
        return [{"Key": key, "Value": value} for key, value in self.by_arn[resource].items()]


class Table(Generic[R]):
    """Things of one kind."""

    def __init__(self, tags: TagStore, missing: Callable[[str], str], duplicate: Callable[[str], ServiceError]) -> None:
        self.tags, self.missing, self.duplicate = tags, missing, duplicate
        self.rows: dict[str, R] = {}
        self.lock = threading.RLock()

    def add(self, row: R) -> R:
        """Of two of one name, the second is refused."""
        with self.lock:
            if row.name in self.rows:
                raise self.duplicate(row.arn)
            self.tags.put(row.arn, row.request.get("Tags", []))
            self.rows[row.name] = row
        return row

    def get(self, name: str) -> R:
        """The thing of that name; AWS says ValidationException where there is none."""
        try:
            return self.rows[name]
        except KeyError:
            raise invalid(self.missing(name)) from None

    def remove(self, name: str) -> R:
        """Takes it out."""
        with self.lock:
            row = self.get(name)
            del self.rows[name]
            self.tags.by_arn.pop(row.arn, None)
        return row

    def find(self, request: Payload) -> list[R]:
        """Those that the filters of a List request let through, in its order: newest first unless it says otherwise."""
        with self.lock:
            rows = list(self.rows.values())
        rows = [row for row in rows if request.get("NameContains", "").lower() in row.name.lower()]
        rows = [row for row in rows if request.get("StatusEquals", row.status) == row.status]
        rows = [row for row in rows if _between(row.created, request, "CreationTime")]
        rows = [row for row in rows if _between(row.modified, request, "LastModifiedTime")]
        by_name = request.get("SortBy") == "Name"
        rows.sort(key=lambda row: row.name if by_name else row.created.isoformat())
        return rows if request.get("SortOrder") == "Ascending" else rows[::-1]


def page(items: list[Any], request: Payload, name: str, default: int = PAGE) -> Payload:
    """One page of a list, and the token of the next."""
    first = int(request.get("NextToken", 0))
    last = first + int(request.get("MaxResults", default))
    more = {"NextToken": str(last)} if last < len(items) else {}
    return {name: items[first:last], **more}


def _between(time: datetime, request: Payload, name: str) -> bool:
    after, before = request.get(f"{name}After", 0), request.get(f"{name}Before", float("inf"))
    return bool(after <= time.timestamp() <= before)
