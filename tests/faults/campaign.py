"""A campaign: stories of some faults one after the other in one home, each followed by the same command and all invariants."""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import invariants
from tests.faults.faults import MOMENTS, OF_RUN, Fault
from tests.faults.invariants import Result, Trial
from tests.faults.programs import STEP_SECONDS
from tests.faults.world import STEPS, Command, World

FIRST_SEEDS, SEEDS = (1, 2), (3, 4, 5, 6)
IN_A_STORY = 8


@dataclass
class Row:
    """One line of the table."""

    number: int
    fault: str
    command: str
    moment: str
    struck: bool
    broken: list[str]
    seconds: float


@dataclass
class Campaign:
    """All faults in one world, drawn by one seed."""

    world: World
    draw: random.Random
    expected: dict[int, Result] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    """The artefact's digest of each seed's model."""
    order: list[str] = field(default_factory=list)
    """Digests of the weights of all champions since the clients began, in order."""
    order_since: float = 0.0
    trained_again: Counter[str] = field(default_factory=Counter)
    """Trainings that this story's faults cost, by job."""
    steps_again: int = 0
    """Steps that they cost."""

    def prepare(self, with_runs: bool) -> None:
        """Two judged models in the home; `with_runs`, the undisturbed result of every seed of a run too."""
        for seeds in (FIRST_SEEDS, SEEDS if with_runs else ()):
            for seed in seeds:
                outcome = self._outcome(self.world.call(*self._run(seed)))
                self.expected[seed], self.digests[seed] = Result.of(outcome), outcome["model"]["digest"]
            if seeds == FIRST_SEEDS:
                self.world.save()

    @staticmethod
    def _outcome(command: Command) -> dict[str, Any]:
        if command.exit_code != 0:
            raise SystemExit(f"undisturbed, {command.words} ended with {command.exit_code}:\n{command.err}")
        outcome: dict[str, Any] = json.loads(command.out)
        return outcome

    def _run(self, seed: int) -> list[str]:
        return ["run", str(self.world.recipe), "--json", "--set", f"training.seed={seed}"]

    def rows(self, faults: list[Fault]) -> Iterator[Row]:
        """Strikes with each fault; a story ends when its seeds are used up or its artefacts are damaged."""
        number = 0
        while faults:
            self._begin_story()
            seeds, told, story = list(SEEDS), 0, []
            while faults and seeds and told < IN_A_STORY:
                fault = faults.pop(0)
                number, told = number + 1, told + 1
                row = self._strike(number, fault, seeds)
                story.append(row)
                if row.broken or fault.loses or fault.forgets:
                    break
                if told < IN_A_STORY and seeds and faults:
                    yield story.pop()
            story[-1].broken += self._end_story(clean=not story[-1].broken)
            yield from story

    def _begin_story(self) -> None:
        self.world.restore()
        self.trained_again.clear()
        self.steps_again = 0
        self.world.call("promote", "tiny")
        self._follow()

    def _follow(self) -> None:
        """Begins to watch the address, or goes on with it."""
        url = self.world.client_url
        self.world.start_client()
        if url != self.world.client_url or not self.order:
            self.order, self.order_since = [self._weights(self._champion())], time.time()

    def _champion(self) -> str:
        champion = self.world.read("registry/tiny.json").get("champion") or {}
        return str(champion.get("model", {}).get("digest", ""))

    def _weights(self, digest: str) -> str:
        return next((self.expected[seed].weights for seed, each in self.digests.items() if each == digest), digest)

    def _strike(self, number: int, fault: Fault, seeds: list[int]) -> Row:
        kind = self.draw.choice(fault.commands)
        moment = self.draw.choice(fault.moments_of(kind) or ["at its start"])
        seed = seeds.pop(0) if kind == "run" else 0
        trial = Trial(fault, kind, moment, seed, time.time(), before=self.world.read("registry/tiny.json"))
        words = self._words(trial)
        first = len(self.world.commands)
        command = self.world.start(*words, environment=fault.environment, anew=self.draw.random() < 0.1)
        self._wait_for(trial, command)
        trial.struck = fault.strike(self.world, command, self.draw)
        for each in self.world.commands[first:]:
            self.world.finish(each)
        if trial.struck:
            fault.heal(self.world)
        trial.disturbed = self.world.commands[first:]
        champion = self._repeat(trial, words)
        trial.ended = time.time()
        broken = list(dict.fromkeys(self._broken(trial, champion)))
        self._follow()
        name = fault.name if trial.struck else f"{fault.name} (nothing there to strike)"
        return Row(number, name, kind, moment, trial.struck, broken, trial.ended - trial.begun)

    def _words(self, trial: Trial) -> list[str]:
        if trial.command == "run":
            return self._run(trial.seed)
        if trial.command == "promote":
            others = [digest for digest in self._judged(trial) if digest != self._champion()]
            return ["promote", "tiny", "--model", self.draw.choice(others or self._judged(trial))]
        return ["rollback", "tiny"] if trial.before.get("before") else ["promote", "tiny"]

    @staticmethod
    def _judged(trial: Trial) -> list[str]:
        return [entry["model"]["digest"] for entry in trial.before.get("history", [])]

    def _wait_for(self, trial: Trial, command: Command) -> None:
        arrived = MOMENTS[trial.moment]
        while not arrived(self.world, command) and not command.poll():
            time.sleep(0.005)
        if trial.moment != OF_RUN[-1]:
            time.sleep(self.draw.uniform(0, 2.0 if trial.moment == OF_RUN[0] else 0.2))

    def _repeat(self, trial: Trial, words: list[str]) -> str | None:
        """Repeats the command, as its user would; returns the champion's digest to expect, None if two commands decide it."""
        if len(trial.disturbed) > 1 and trial.fault.name != "the same command at once":
            # Two different wishes: either may have won. The address is asked to follow the registry.
            trial.repeated = [self.world.call("promote", "tiny", "--model", self._champion())]
            return None
        wanted = self._wanted(trial, words)
        record = self.world.read("registry/tiny.json")
        done = len(record.get("switches", [])) > len(trial.before.get("switches", [])) and not record.get("switching")
        if words[0] == "rollback" and done:
            words = ["promote", "tiny", "--model", wanted]  # a second rollback would go back once more
        trial.repeated = [self.world.call(*words)]
        return wanted

    def _wanted(self, trial: Trial, words: list[str]) -> str:
        if words[0] == "run":
            return self.digests[trial.seed]
        if words[0] == "promote":
            return words[-1] if "--model" in words else self._judged(trial)[-1]
        return str(trial.before["before"][-1]["model"]["digest"])

    def _broken(self, trial: Trial, champion: str | None) -> Iterator[str]:
        world = self.world
        yield from invariants.ends_in_words(trial)
        yield from invariants.carries_on(trial)
        yield from invariants.same_result(trial, self.expected)
        yield from invariants.registry_and_alias_agree(world, champion)
        yield from invariants.champion_answers(world, self._weights(self._champion()))
        yield from invariants.artefacts_are_whole(world)
        yield from invariants.no_request_lost(world, trial)
        record = world.read("registry/tiny.json")
        known = 0 if trial.fault.forgets else len(trial.before.get("switches", []))
        new = record.get("switches", [])[known:]
        self.order += [self._weights(switch["model"]) for switch in new]
        yield from invariants.champions_in_order(world, self.order, self.order_since, trial.ended)
        if trial.fault.loses == "model":
            self.trained_again.update(each.parent.name.rpartition("-")[0] for each in world.files("jobs/*/log.txt"))
        self.steps_again += STEPS if "checkpoints" in trial.fault.name else 2
        yield from invariants.trained_once(world, self.steps_again, self.trained_again)

    def _end_story(self, clean: bool) -> list[str]:
        world = self.world
        world.stop_client()
        self.order.clear()
        world.client_url = ""
        listed = world.call("endpoint", "list", "--json")
        endpoints = json.loads(listed.out or "[]") if listed.exit_code == 0 else []
        for endpoint in endpoints:
            world.call("endpoint", "delete", endpoint["name"])
        world.call("endpoint", "delete", "tiny")
        for draft in world.files("artifacts/drafts/*"):  # swept after a day
            _age(draft)
        world.call("sweep")
        time.sleep(STEP_SECONDS)
        return list(invariants.nothing_left(world)) if clean else []


def _age(path: Path) -> None:
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
