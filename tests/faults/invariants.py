"""What must hold after a fault and the same command once more: each a function that tells what is broken."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.faults.client import ask
from tests.faults.faults import Fault
from tests.faults.programs import WEIGHTS
from tests.faults.world import STEPS, Command, World

ALLOWED_EXITS = {0, 1, 2, 3, 130, 143, -2, -9, -15}


@dataclass(frozen=True)
class Result:
    """What a run came to: digests of the weights and of the answers, and the scores."""

    weights: str
    answers: str
    scores: str

    @classmethod
    def of(cls, outcome: dict[str, Any]) -> "Result":
        """From what `finetune run --json` printed."""
        weights = (Path(outcome["model"]["uri"]) / "model" / WEIGHTS).read_bytes()
        evaluation = Path(outcome["evaluation"]["uri"])
        lines = (evaluation / "predictions.jsonl").read_text().splitlines()
        texts = sorted((answer["id"], answer["text"]) for answer in map(json.loads, lines))
        scores = json.loads((evaluation / "scores.json").read_text())["metrics"]
        return cls(_digest(weights), _digest(repr(texts).encode()), json.dumps(scores, sort_keys=True))


@dataclass
class Trial:
    """One fault: what was going on, what was done, and what ended how."""

    fault: Fault
    command: str
    moment: str
    seed: int
    begun: float
    struck: bool = False
    before: dict[str, Any] = field(default_factory=dict)
    """The registry's record before."""
    disturbed: list[Command] = field(default_factory=list)
    repeated: list[Command] = field(default_factory=list)
    ended: float = 0.0


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ends_in_words(trial: Trial) -> Iterator[str]:
    """Every command ends, with an exit code that says how and without a traceback."""
    for command in [*trial.disturbed, *trial.repeated]:
        name = f"`{' '.join(command.words[:2])}`"
        if command.exit_code is None:
            yield f"{name} did not end"
        elif command.exit_code not in ALLOWED_EXITS:
            yield f"{name} ended with exit code {command.exit_code}"
        if "Traceback (most recent call last)" in command.err:
            yield f"{name} ended in a traceback: {command.err.strip().splitlines()[-1][:200]}"
        if command.exit_code in (1, 2) and "finetune: " not in command.err:
            yield f"{name} failed without a word"


def carries_on(trial: Trial) -> Iterator[str]:
    """The same command once more does what it should have done."""
    for command in trial.repeated:
        if command.exit_code != 0:
            said = command.err.strip().splitlines()
            yield f"repeated, `{command.words[0]}` ended with {command.exit_code}: {said[-1][:200] if said else ''}"


def same_result(trial: Trial, expected: dict[int, Result]) -> Iterator[str]:
    """A run that ends well came to what it comes to undisturbed."""
    for command in [*trial.disturbed, *trial.repeated]:
        if command.words[0] == "run" and command.exit_code == 0:
            seed = int(command.words[-1].rpartition("=")[2])
            result = Result.of(json.loads(command.out))
            for part in ("weights", "answers", "scores"):
                if getattr(result, part) != getattr(expected[seed], part):
                    yield f"the {part} of a run differ from those of an undisturbed run"


def trained_once(world: World, allowed_repeats: int, allowed_trainings: Counter[str]) -> Iterator[str]:
    """No step and no training more than the faults cost."""
    logs: dict[str, str] = defaultdict(str)
    for path in world.files("jobs/*/log.txt"):
        logs[path.parent.name.rpartition("-")[0]] += path.read_text(errors="replace")
    for job, text in logs.items():
        ends, steps = text.count("finished"), text.count("step=")
        if ends > 1 + allowed_trainings[job]:
            yield f"{job} was trained {ends} times"
        if steps > STEPS * (1 + allowed_trainings[job]) + allowed_repeats:
            yield f"{job} did {steps} steps"


def registry_and_alias_agree(world: World, champion: str | None) -> Iterator[str]:
    """The lasting address leads to the champion's server, which answers; and the champion is `champion` if that is known."""
    record, alias = world.read("registry/tiny.json"), world.read("aliases/tiny/alias.json")
    entry = record.get("champion") or {}
    digest = entry.get("model", {}).get("digest")
    if champion is not None and digest != champion:
        yield f"the champion is {str(digest)[:8]} and not {champion[:8]}"
    if record.get("switching"):
        yield "the registry says that a change was cut off"
    if not digest:
        return
    try:
        target = httpx.get(f"{alias['url']}/.alias", timeout=20).json()["target"]
    except (KeyError, httpx.HTTPError, ValueError) as error:
        yield f"the address does not answer: {type(error).__name__} {error}"
        return
    listed = world.call("endpoint", "list", "--json")
    serving = {each["url"]: each for each in json.loads(listed.out)} if listed.exit_code == 0 else {}
    if serving.get(target, {}).get("model_digest") != digest:
        yield f"the address leads to {target}, which does not serve the champion"


def champion_answers(world: World, weights: str) -> Iterator[str]:
    """A request to the lasting address is answered by the champion; `weights` is the digest of its weights."""
    status, told = ask(urlsplit(str(world.read("aliases/tiny/alias.json").get("url", ""))).netloc)
    if (status, told) != (200, weights):
        yield f"the address answered {status} {told[:80]}, and not the champion {weights[:8]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content


def no_request_lost(world: World, trial: Trial) -> Iterator[str]:
    """Clients of the address got answers all the while; where a server was struck, an honest refusal at most."""
    for request in world.requests(trial.begun, trial.ended):
        excused = trial.fault.outage and request["status"] in (0, 502, 503)
        if request["status"] != 200 and not excused:
            yield f"a request got {request['status']}: {request['told'][:120]}"
            return


def champions_in_order(world: World, order: list[str], since: float, until: float) -> Iterator[str]:
    """Each client saw the champions in the order in which they became so: none came back by itself."""
    answers = [each for each in world.requests(since, until) if each["status"] == 200]
    for client, own in groupby(sorted(answers, key=lambda each: each["client"]), key=lambda each: each["client"]):
        seen = [model for model, _ in groupby(each["told"] for each in own)]
        left = iter(order)
        if not all(model in left for model in seen):
            short = [model[:6] for model in seen]
            yield f"client {client} saw {short}, but the champions were {[each[:6] for each in order]}"


def nothing_left(world: World) -> Iterator[str]:
    """After everything was deleted and swept: no process but Prefect's one server, no folder of what ran, no draft."""
    servers = world.place.running("Prefect server")
    if len(servers) > 1:
        yield f"{len(servers)} Prefect servers run"
    for line in world.place.running():
        if line not in servers:
            yield f"a process is left: {line[-120:]}"
    for pattern in ("endpoints/*", "aliases/*", "jobs/*/opt-ml", "checkpoints/*", "artifacts/drafts/*", "**/tmp*"):
        for path in (path for path in world.files(pattern) if path.suffix != ".lock"):
            yield f"{path.relative_to(world.home)} is left"


def artefacts_are_whole(world: World) -> Iterator[str]:
    """What the champion was made from and is served from is as its manifest says."""
    entry = world.read("registry/tiny.json").get("champion") or {}
    for part in ("dataset", "model", "evaluation"):
        folder = Path(entry[part]["uri"]) if part in entry else None
        if folder is None:
            continue
        files = _read(folder / "manifest.json").get("files", {})
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        wrong = [
            name
            for name in files
            if name not in there or _digest((folder / name).read_bytes()) != files[name]["sha256"]
        ]
        if wrong or not files or there - set(files) != {"manifest.json"}:
            yield f"the champion's {part} is not what its manifest says: {wrong or sorted(there - set(files))[:3]}"
