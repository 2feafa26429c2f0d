"""Every wait in the product has a bound, or a reason here why it ends: nothing hangs for ever."""

import ast
import re
from collections.abc import Iterator

from tests import ROOT

# Where: what waits, and why it ends all the same.
REASONS: dict[str, str] = {
    "flows/prefect_server.py: while True": "a daemon thread, which ends with the command",
    "tasks/dataset/check.py: waiting.popleft().result": "a worker that dies breaks the pool, which raises",
    "tasks/dataset/readers.py: while True": "the lines of a file",
    "tasks/evaluation/exam.py: for ever": "the problem's rounds, which its settings limit",
    "tasks/exporting/servers.py: process.wait": "it was just killed",
    "tasks/platforms/docker/jobs.py: container.wait": "the container ends at its own deadline",
    "tasks/platforms/local/detached.py: while": "follows a job to its end, which its supervisor enforces",
    "tasks/platforms/sagemaker/data.py: future.result": "boto3's own time limits and retries",
    "tasks/platforms/sagemaker/endpoints.py: for ever": "gives up by the clock",
    "tasks/platforms/sagemaker/jobs.py: for ever": "AWS ends a job at MaxRuntimeInSeconds, and 120 s after it was stopped",
    "tasks/platforms/sagemaker/logs.py: while True": "the pages of a log",
    "tasks/platforms/sagemaker/parts.py: for ever": "_PATIENCE attempts; AWS ends creating and updating by itself",
    "tasks/platforms/sagemaker/place.py: while True": "the polls themselves: their users are in this list",
    "tasks/platforms/sagemaker/queueing.py: for ever": "gives up by the clock",
    "tasks/progress.py: FlowRunContext.get": "no wait: a context variable",
    "tasks/promote.py: state.result": "no wait: the state has ended",
    "tasks/report.py: FlowRunContext.get": "no wait: a context variable",
    "tasks/reporting/watching.py: _watchers.get": "no wait: a context variable",
    "tasks/retrying.py: state.result": "no wait: the state has ended",
    "tasks/sql/engines/duckdb.py: while True": "a daemon thread that looks at the clock",
    "tasks/sql/engines/private_server.py: while True": "gives up by the clock",
    "tasks/sql/worker.py: while True": "ends when the other end hangs up",
    "tasks/sql/worker.py: connection.recv": "ends when the other end hangs up",
    "tasks/sql/workers.py: _idle.get": "there are as many workers as threads, and each has a time limit",
    "tasks/sql/workers.py: _process.wait": "it was just killed",
    "tasks/tuning/search.py: while True": "as long as trials run, which are jobs with a deadline",
    "tasks/tuning/search.py: future.result": "it is done",
    "training/readers.py: subprocess.run": "part of a job, which has a deadline",
    "containers/serving/classifier_engine.py: _thread.join": "after the current batch",
    "containers/serving/classifier_engine.py: _changed.wait": "the engine's own thread: until there is work, or close()",
    "containers/serving/grammar_check.py: child.wait": "it was just killed",
    "containers/serving/grammar_child.py: thread.join": "the server kills the child at its time limit",
    "containers/serving/service.py: task.result": "it is done",
    "containers/serving/service.py: while True": "each step is within the request's time limit",
    "containers/serving/service.py: arrived.get": "each answer is within the request's time limit",
    "containers/serving/transformers_engine.py: while True": "the service stops it at the request's time limit",
    "containers/serving/transformers_engine.py: arrived.get": "the service stops it at the request's time limit",
    "containers/serving/transformers_engine.py: _thread.join": "after the current step",
    "containers/serving/transformers_engine.py: _changed.wait": "the engine's own thread: until there is work, or close()",
    "containers/training/entry.py: subprocess.run": "part of a job, which has a deadline",
}


def waits(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and kind of everything that may wait without a bound."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value:
            yield node.lineno, "while True"
        elif isinstance(node, ast.While) and "sleep(" in ast.unparse(node) and not _CLOCK.search(ast.unparse(node)):
            yield node.lineno, "while"
        elif isinstance(node, ast.For) and ast.unparse(node.iter).startswith(("itertools.count", "polls(")):
            yield node.lineno, "for ever"
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if _is_unbounded(node, name):
                yield node.lineno, name.removeprefix("self.")


_CLOCK = re.compile(r"monotonic\(\)|time\.time\(\)|clock\(\)")
BOUNDED_BY_TIMEOUT = {"run", "check_call", "check_output", "call"}
CLIENTS = {"httpx.get", "httpx.post", "httpx.request", "httpx.stream", "httpx.Client", "httpx.AsyncClient"}
WITHOUT_ARGUMENTS = {"wait", "join", "get", "result", "acquire", "recv", "communicate"}


def _is_unbounded(call: ast.Call, name: str) -> bool:
    given = {keyword.arg for keyword in call.keywords}
    last = name.rpartition(".")[2]
    if name.startswith("subprocess.") and last in BOUNDED_BY_TIMEOUT:
        return "timeout" not in given
    if name in CLIENTS:
        return "timeout" not in given
    return "." in name and last in WITHOUT_ARGUMENTS and not call.args and not given & {"timeout", "WaiterConfig"}


def found() -> dict[str, list[int]]:
    """The lines of all unbounded waits, by `file: what waits`."""
    lines: dict[str, list[int]] = {}
    for folder in ("flows", "tasks", "training", "containers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line, what in waits(ast.parse(path.read_text(encoding="utf-8"))):
                lines.setdefault(f"{path.relative_to(ROOT)}: {what}", []).append(line)
    return lines


def test_what_waits_without_a_bound_has_a_reason_to_end() -> None:
    unexplained = {place: lines for place, lines in found().items() if place not in REASONS}
    assert not unexplained, "give it a timeout, or write into REASONS why it ends"


def test_every_reason_is_for_a_wait_that_exists() -> None:
    assert set(REASONS) <= set(found())
