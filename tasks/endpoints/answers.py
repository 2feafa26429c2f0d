"""Asks an endpoint the test questions, and saves each answer as soon as it arrives."""

import asyncio
import hashlib
import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import httpx
import pyarrow.parquet as pq
from anyio.from_thread import start_blocking_portal
from pydantic import Field, ValidationError

from finetune_flows.tasks.base.checksums import with_checksum, without_checksum
from finetune_flows.tasks.base.errors import DatasetError, EndpointFailed
from finetune_flows.tasks.base.values import Frozen
from finetune_flows.tasks.endpoints.asking import Form, Server, TestRow
from finetune_flows.tasks.sections.stages import EvaluationSection

TRIES = 6
LONGEST_WAIT_SECONDS = 30.0
TRANSIENT_STATUS = frozenset({429, 502, 503, 504})
_EMPTY_THOUGHT = re.compile(r"\A\s*<think>\s*</think>\s*")
REFUSED_STATUS = frozenset({401, 403})  # not retried: a wrong key stays wrong


class Answer(Frozen):
    """The endpoint's answer to one row; if there is none, `text` is empty and `error` says why."""

    id: str
    text: str = ""
    asked_at: float = Field(description="Unix time of the request, in seconds.")
    latency_seconds: float = Field(ge=0, description="Duration of the last try, in seconds.")
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(0, ge=0)
    finish_reason: str | None = None
    error: str | None = None
    failed_tries: int = Field(0, ge=0, description="Failed requests for this row, before it was answered or given up.")


def without_empty_thought(text: str) -> str:
    """The text without the empty reasoning (`<think></think>`) with which some chat templates begin every answer.

    A model learns it from its template, not from the rows, so it is no part of an answer.
    """
    return _EMPTY_THOUGHT.sub("", text, count=1)


def read_test_rows(path: Path, rows: int) -> list[TestRow]:
    """The first `rows` rows of a test.parquet. The file is in shuffled order, so they are a random sample.

    Raises:
        DatasetError: the file is missing or not a dataset of this project.
    """
    wanted = ["id", "prompt", "fields", "slice"]
    try:
        with pq.ParquetFile(path) as file:
            found: list[TestRow] = []
            for batch in file.iter_batches(batch_size=min(rows, 1024), columns=wanted):
                found += [TestRow.model_validate(row) for row in batch.to_pylist()[: rows - len(found)]]
                if len(found) == rows:
                    break
            return found
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(f"{path}: the test rows cannot be read: {error}. Run prepare again.") from error


def collect_answers(
    server: Server,
    rows: Sequence[TestRow],
    section: EvaluationSection,
    path: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Sends every row that has no answer in `path` to the server; returns all answers in row order.

    Each answer is appended to `path` (JSON lines) when it arrives, so an interrupted run loses none. The next run asks
    only the rest: rows without an answer and rows whose request failed. `on_progress` receives the number of rows
    answered and of all rows.

    Raises:
        EndpointFailed: the first requests all failed, or the endpoint refused the key. Earlier answers are kept.
    """
    kept = {answer.id: answer for answer in _read_kept(path)}
    missing = [row for row in rows if row.id not in kept]
    report = on_progress or (lambda done, total: None)
    report(len(rows) - len(missing), len(rows))
    if missing:
        with path.open("a", encoding="utf-8") as file:
            run = _Run(server, section, file, lambda done: report(len(rows) - len(missing) + done, len(rows)))
            # In a thread of its own: in a notebook, this thread runs an event loop already.
            with start_blocking_portal() as portal:
                kept.update(portal.call(run.ask_all, missing))
    return [kept[row.id] for row in rows]


def kept_answers(rows: Sequence[TestRow], path: Path) -> list[Answer] | None:
    """The answers in `path` in row order; None if one is missing, because then an endpoint is needed."""
    kept = {answer.id: answer for answer in _read_kept(path)}
    return [kept[row.id] for row in rows] if all(row.id in kept for row in rows) else None


def digest_of_test(path: Path) -> str:
    """The identity of a test: SHA-256 (hex) of its rows in order, with what they ask and what they are judged by.

    A newer data set with the same test has the same digest, whatever its training rows are.
    """
    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["id", "prompt", "fields", "slice"]):
            for row in batch.to_pylist():
                digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _read_kept(path: Path) -> list[Answer]:
    """The good answers in a file. Removes all else from it: failed answers, damaged lines, a last line without its end."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")  # splitlines would split at U+2028 too
    except FileNotFoundError:
        return []
    read = {line: _read_line(line) for line in lines}
    good = {line: answer for line, answer in read.items() if answer is not None and answer.error is None}
    temporary = path.with_name(path.name + ".new")
    temporary.write_text("".join(line + "\n" for line in good), encoding="utf-8")
    os.replace(temporary, path)
    return list(good.values())


def _read_line(line: str) -> Answer | None:
    content = without_checksum(line)
    try:
        return None if content is None else Answer.model_validate_json(content)
    except ValidationError:
        return None


class _Run:
    """One run through the questions."""

    def __init__(
        self, server: Server, section: EvaluationSection, file: IO[str], on_answer: Callable[[int], None]
    ) -> None:
        self.connection, self.form = server.connection, server.form
        self.model, self.key = server.access.model, server.access.key()
        self.section, self.file, self.on_answer = section, file, on_answer
        self.answers: dict[str, Answer] = {}
        self.failures = 0
        self.answered = self.refused = False

    async def ask_all(self, rows: Sequence[TestRow]) -> dict[str, Answer]:
        """Answers by row id."""
        waiting = iter(rows)
        concurrency = min(self.section.concurrency, len(rows))
        limit = httpx.Timeout(self.section.timeout_seconds, connect=min(30.0, self.section.timeout_seconds))
        async with self.connection.async_client(limit, concurrency) as client, asyncio.TaskGroup() as group:
            if self.key:
                client.headers["Authorization"] = f"Bearer {self.key}"
            for _ in range(concurrency):
                group.create_task(self._ask_in_turn(client, waiting))
        if self._is_gone():
            last = next(reversed(self.answers.values()))
            raise EndpointFailed(
                f"{self.connection.url} answered none of {self.failures} requests: {last.error}. Read the endpoint's log, "
                "then run again: the next run continues where this one stopped."
            )
        return self.answers

    async def _ask_in_turn(self, client: httpx.AsyncClient, waiting: Iterator[TestRow]) -> None:
        for row in waiting:
            answer = await self._ask(client, row)
            self.answers[row.id] = answer
            self.file.write(with_checksum(answer.model_dump_json()) + "\n")
            self.file.flush()
            self.failures += answer.error is not None
            self.answered = self.answered or answer.error is None
            self.on_answer(len(self.answers))
            if self._is_gone():
                return

    def _is_gone(self) -> bool:
        return not self.answered and (self.refused or self.failures >= max(8, self.section.concurrency))

    async def _ask(self, client: httpx.AsyncClient, row: TestRow) -> Answer:
        body = self.form.body(row, self.section) | ({"model": self.model} if self.model else {})
        for attempt in range(TRIES):
            asked_at, start = time.time(), time.perf_counter()
            wait = min(LONGEST_WAIT_SECONDS, 0.5 * 2**attempt)
            try:
                response = await client.post(self.form.route, json=body)
                seconds = time.perf_counter() - start
                if response.status_code == 200:
                    return _read_answer(self.form, row, response, asked_at, seconds, attempt)
                problem = f"HTTP {response.status_code}: {self._without_key(response.text)[:300]}"
                transient = response.status_code in TRANSIENT_STATUS
                self.refused = self.refused or response.status_code in REFUSED_STATUS
                wait = max(wait, _retry_after(response))
            # Not retried: httpx's timeout is the recipe's own limit, and each further try would last as long again.
            except httpx.TimeoutException:
                seconds, transient = time.perf_counter() - start, False
                problem = f"no answer within {self.section.timeout_seconds:g} s"
            except httpx.TransportError as error:
                seconds, transient, problem = time.perf_counter() - start, True, f"{type(error).__name__}: {error}"
            if not transient:
                break
            if attempt < TRIES - 1:
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))
        return Answer(id=row.id, asked_at=asked_at, latency_seconds=seconds, error=problem, failed_tries=attempt + 1)

    def _without_key(self, text: str) -> str:
        # The text goes into the answers file, and some servers repeat the key that they refuse.
        return text.replace(self.key, "<key>") if self.key else text


def _retry_after(response: httpx.Response) -> float:
    """The wait in seconds that the server asks for; 0 if the header is absent or holds a date."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdigit() else 0.0


def _read_answer(
    form: Form, row: TestRow, response: httpx.Response, asked_at: float, seconds: float, failed_tries: int
) -> Answer:
    try:
        reply = form.read(response.json())
        return Answer(
            id=row.id, asked_at=asked_at, latency_seconds=seconds, failed_tries=failed_tries, **reply.model_dump()
        )
    except (json.JSONDecodeError, UnicodeDecodeError, LookupError, TypeError, AttributeError, ValidationError):
        problem = f"not {form.name}: {response.text[:300]}"
        failed_tries += 1
        return Answer(id=row.id, asked_at=asked_at, latency_seconds=seconds, error=problem, failed_tries=failed_tries)
