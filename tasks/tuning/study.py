"""The memory of a search: an Optuna study in a file, so that one that was killed goes on where it stood.

TPE proposes settings (Bergstra et al., 2011); asynchronous successive halving ends the hopeless (Li et al., 2020).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from finetune_flows.tasks.sections.tuning import SearchRange, TuningSection
from finetune_flows.tasks.tuning.trials import Ending, Setting, TrialFacts

_ENDINGS: dict[TrialState, Ending] = {
    TrialState.COMPLETE: "completed",
    TrialState.PRUNED: "stopped early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
    TrialState.WAITING: "unfinished",
}
_NAME = "tune"
_QUARTER = 25  # percent of the steps: where trainings are first compared


class Study:
    """Asks for settings and is told what came of them. One process at a time uses it."""

    def __init__(
        self, folder: Path, section: TuningSection, axes: Mapping[str, SearchRange], maximise: bool, seed: int
    ):
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.section, self.axes = section, axes
        folder.mkdir(parents=True, exist_ok=True)
        direction: Literal["maximize", "minimize"] = "maximize" if maximise else "minimize"
        self.study = optuna.create_study(
            study_name=_NAME, storage=_storage(folder), load_if_exists=True, direction=direction
        )
        # Another seed when it goes on: the same one would propose again what was tried.
        drawn = seed + len(self.study.get_trials(deepcopy=False))
        first = min(10, max(4, section.trials // 3))
        self.study.sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=first, constant_liar=True)
        self.study.pruner = (
            optuna.pruners.SuccessiveHalvingPruner(min_resource=_QUARTER, reduction_factor=2)
            if section.stop_early
            else optuna.pruners.NopPruner()
        )

    def unfinished(self) -> list[Trial]:
        """Those that an earlier search was at when it died; one that had no settings yet is given up."""
        found = []
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.params.keys() == self.axes.keys():
                found.append(Trial(self.study, frozen._trial_id))
            else:
                self.study.tell(frozen.number, state=TrialState.FAIL)
        return found

    def ask(self) -> Trial | None:
        """A training with new settings; None when there were as many as the recipe wants."""
        if len(self._begun()) >= self.section.trials:
            return None
        trial = self.study.ask()
        for name, axis in self.axes.items():
            _suggest(trial, name, axis)
        return trial

    def _begun(self) -> list[FrozenTrial]:
        return [each for each in self.study.get_trials(deepcopy=False) if each.params.keys() == self.axes.keys()]

    def known(self, settings: Mapping[str, Setting]) -> float | None:
        """What the same settings gave before: a training is not paid for twice."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return next((each.value for each in done if each.params == settings), None)

    def facts(self) -> list[TrialFacts]:
        """All trainings so far."""
        return [_facts(each) for each in self._begun()]

    def best(self) -> TrialFacts | None:
        """The best of those that came to their end."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return _facts(self.study.best_trial) if done else None


def open_study(folder: Path) -> optuna.Study:
    """What a search left in its folder, to be looked at."""
    return optuna.load_study(study_name=_NAME, storage=_storage(folder))


def _storage(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / "journal.jsonl")))


def reported(trial: Trial) -> dict[int, float]:
    """Values by percent of the training's steps, as they were reported."""
    return dict(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)


def _suggest(trial: Trial, name: str, axis: SearchRange) -> Setting:
    if axis.choices:
        return cast(Setting, trial.suggest_categorical(name, axis.choices))
    assert axis.low is not None
    assert axis.high is not None
    if axis.low.is_integer() and axis.high.is_integer():
        return trial.suggest_int(name, int(axis.low), int(axis.high), log=axis.log)
    return trial.suggest_float(name, axis.low, axis.high, log=axis.log)


def _facts(frozen: FrozenTrial) -> TrialFacts:
    last = frozen.intermediate_values[max(frozen.intermediate_values)] if frozen.intermediate_values else None
    return TrialFacts(
        number=frozen.number,
        settings=dict(frozen.params),
        ending=_ENDINGS[frozen.state],
        value=frozen.value if frozen.state == TrialState.COMPLETE else last,
        hours=frozen.user_attrs.get("hours", 0.0),
        why=frozen.user_attrs.get("why", ""),
    )
