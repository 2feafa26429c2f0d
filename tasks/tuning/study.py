"""The memory of a search: an Optuna study in a file, so that a killed search resumes where it stopped.

TPE proposes settings (Bergstra et al., 2011); asynchronous successive halving stops weak trainings (Li et al., 2020).
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
_QUARTER = 25  # percent of the steps at which trainings are first compared


class Study:
    """Proposes settings and records their results. Only one process at a time may use it."""

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
        # A resumed search needs another seed: the same seed would propose the same settings again.
        drawn = seed + len(self.study.get_trials(deepcopy=False))
        # TPE starts with random settings, 10 by Optuna's default: a short search would then be random to its end.
        first = min(10, max(4, section.trials // 3))
        # constant_liar keeps parallel trainings apart: TPE avoids settings near those of running trials.
        self.study.sampler = optuna.samplers.TPESampler(seed=drawn, n_startup_trials=first, constant_liar=True)
        self.study.pruner = (
            optuna.pruners.SuccessiveHalvingPruner(min_resource=_QUARTER, reduction_factor=2)
            if section.stop_early
            else optuna.pruners.NopPruner()
        )

    def unfinished(self) -> list[Trial]:
        """Trials that an earlier search left running. A trial without all its settings is recorded as failed instead."""
        found = []
        for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if frozen.params.keys() == self.axes.keys():
                found.append(Trial(self.study, frozen._trial_id))  # Optuna has no public way to resume a running trial
            else:
                self.study.tell(frozen.number, state=TrialState.FAIL)
        return found

    def ask(self) -> Trial | None:
        """A trial with new settings; None when the study has as many trials as the recipe asks for."""
        if len(self._begun()) >= self.section.trials:
            return None
        trial = self.study.ask()
        for name, axis in self.axes.items():
            _suggest(trial, name, axis)
        return trial

    def _begun(self) -> list[FrozenTrial]:
        return [each for each in self.study.get_trials(deepcopy=False) if each.params.keys() == self.axes.keys()]

    def known(self, settings: Mapping[str, Setting]) -> float | None:
        """The result of an earlier trial with the same settings, so that no training is paid for twice."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return next((each.value for each in done if each.params == settings), None)

    def facts(self) -> list[TrialFacts]:
        """All trials so far that have settings."""
        return [_facts(each) for each in self._begun()]

    def best(self) -> TrialFacts | None:
        """The best completed trial; None when none completed."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return _facts(self.study.best_trial) if done else None


def open_study(folder: Path) -> optuna.Study:
    """The study of an earlier search, for inspection."""
    return optuna.load_study(study_name=_NAME, storage=_storage(folder))


def _storage(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / "journal.jsonl")))


def reported(trial: Trial) -> dict[int, float]:
    """The reported values of a trial, by percent of its steps."""
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
