"""Copies the CloudWatch logs of one job or endpoint to a local file; each line is read once."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import RootModel

from finetune_flows.tasks.aws.errors import is_missing
from finetune_flows.tasks.base.files import read_model, write_json
from finetune_flows.tasks.platforms.contract import ReadLine

JOBS = "/aws/sagemaker/TrainingJobs"
ENDPOINTS = "/aws/sagemaker/Endpoints"
_SIZE = " bytes"  # stored with the tokens: no stream has a name with a space


class _Places(RootModel[dict[str, str]]):
    """For each stream, the token of the next page; and the size of the file."""


class LogFollower:
    """Copies the log streams of a job, one for each instance, to `file`.

    The position in each stream is stored next to the file, so that another process can continue from there.
    """

    def __init__(self, logs: Any, group: str, prefix: str, file: Path) -> None:
        self.logs, self.group, self.prefix, self.file = logs, group, prefix, file
        self.places = file.with_suffix(".places.json")
        places = read_model(self.places, _Places)  # without it, the log is read from its beginning
        self.tokens = places.root if places else {}
        file.parent.mkdir(parents=True, exist_ok=True)
        self._drop_unplaced()

    def _drop_unplaced(self) -> None:
        """Drops lines that an earlier process wrote, and was killed before it noted the place: they are read again."""
        if not self.file.exists():
            return
        written = self.file.stat().st_size
        noted = int(self.tokens.pop(_SIZE, written)) if self.tokens else 0  # earlier versions noted no size
        if written > noted:
            os.truncate(self.file, noted)

    def read(self, read_line: ReadLine) -> None:
        """Passes every new line to `read_line`. A missing stream is no error: it appears some time after the start."""
        for stream in self._streams():
            for page in self._pages(stream):
                lines = [event["message"] for event in page]
                if lines:
                    with self.file.open("a", encoding="utf-8") as file:
                        file.writelines(line.rstrip("\n") + "\n" for line in lines)
                    write_json(self.places, self.tokens | {_SIZE: str(self.file.stat().st_size)})
                for line in lines:
                    read_line(line)

    def last_lines(self, count: int) -> list[str]:
        """The last lines read so far, by this or an earlier process."""
        try:
            return self.file.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-count:]
        except FileNotFoundError:
            return []

    def _streams(self) -> list[str]:
        from botocore.exceptions import ClientError

        pages = self.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=self.group, logStreamNamePrefix=self.prefix
        )
        try:
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except ClientError as error:
            if is_missing(error):
                return []
            raise

    def _pages(self, stream: str) -> Iterator[list[dict[str, Any]]]:
        """The new pages of a stream. CloudWatch marks the end by returning the same token again."""
        while True:
            known = self.tokens.get(stream)
            place = {"nextToken": known} if known else {}
            page = self.logs.get_log_events(logGroupName=self.group, logStreamName=stream, startFromHead=True, **place)
            self.tokens[stream] = page["nextForwardToken"]
            yield page["events"]
            if page["nextForwardToken"] == known:
                return


def tail(logs: Any, group: str, count: int) -> list[str]:
    """The last lines of the most recent stream; empty if the group does not exist."""
    from botocore.exceptions import ClientError

    try:
        streams = logs.describe_log_streams(logGroupName=group, orderBy="LastEventTime", descending=True, limit=1)
        if not streams["logStreams"]:
            return []
        name = streams["logStreams"][0]["logStreamName"]
        events = logs.get_log_events(logGroupName=group, logStreamName=name, limit=count, startFromHead=False)
    except ClientError as error:
        if is_missing(error):
            return []
        raise
    return [event["message"].rstrip("\n") for event in events["events"]]
