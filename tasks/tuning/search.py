"""The search: runs several training jobs at once, follows each, and stops those that lag behind."""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

import optuna
from optuna.trial import Trial, TrialState

from finetune_flows.tasks.base.errors import JobFailed, TryLater
from finetune_flows.tasks.platforms.attempts import remove_attempts, run_job, stop_attempts
from finetune_flows.tasks.platforms.contract import Platform, TrainingJob
from finetune_flows.tasks.tuning.budget import Budget
from finetune_flows.tasks.tuning.readings import Readings
from finetune_flows.tasks.tuning.study import Study, reported
from finetune_flows.tasks.tuning.trials import Setting, TrialFacts, short

log = logging.getLogger("finetune")
_TRIES = 5  # attempts when the platform cannot be reached or has no machine
_PAUSE = 30.0  # seconds between attempts
_HOPELESS = 3  # failed trainings before any completes: the mistake is then in the recipe

JobOf = Callable[[dict[str, Setting], float], TrainingJob]
"""Makes the training job for these settings with this limit in hours."""


class Running(NamedTuple):
    """A training in progress. `hours` is the limit of its job."""

    trial: Trial
    job: TrainingJob
    hours: float


class Search:
    """Runs the trainings of a study. However it ends, except by SIGKILL, it leaves no job running."""

    def __init__(
        self, study: Study, platform: Platform, job_of: JobOf, budget: Budget, metric: str, best: bool
    ) -> None:
        self.study, self.platform, self.job_of, self.budget = study, platform, job_of, budget
        self.metric, self.best = metric, best
        self.stopping = threading.Event()
        self.study_lock = threading.Lock()  # the study's file permits one writer at a time

    def run(self, parallel: int, on_trial: Callable[[TrialFacts], None]) -> None:
        """Runs all trainings that the recipe asks for and the budget pays for.

        Raises:
            JobFailed: the first trainings all failed. The message contains the error of the last one.
            FinetuneError: the platform refused a job.
        """
        under_way: dict[Future[None], Running] = {}
        unfinished = self.study.unfinished()
        with ThreadPoolExecutor(parallel, thread_name_prefix="trial") as pool:
            try:
                while True:
                    while len(under_way) < parallel and (running := self._next(unfinished, under_way, parallel)):
                        # Prefect finds the flow run of a log line in the context; a new thread has none.
                        future = pool.submit(contextvars.copy_context().run, self._train, running)
                        under_way[future] = running
                    if not under_way:
                        return
                    # Wait briefly, because a signal reaches the main thread only between waits.
                    for future in wait(under_way, timeout=1, return_when=FIRST_COMPLETED).done:
                        running = under_way.pop(future)
                        future.result()
                        on_trial(self._facts(running.trial))
                        self._stop_if_hopeless()
            except BaseException:  # Prefect's TerminationSignal and KeyboardInterrupt are not Exceptions
                self.stopping.set()
                for running in under_way.values():
                    stop_attempts(self.platform, running.job.name)
                raise

    def _next(self, unfinished: list[Trial], under_way: dict[Future[None], Running], parallel: int) -> Running | None:
        """The next training: first those that an earlier search left unfinished, then new ones within the budget."""
        reserved = sum(running.hours for running in under_way.values())
        hours = self.budget.share(self._spent(), reserved, parallel - len(under_way))
        if hours is None:
            return None
        with self.study_lock:
            trial = unfinished.pop(0) if unfinished else self.study.ask()
            while trial and (value := self.study.known(trial.params)) is not None:
                self.study.study.tell(trial, value)
                log.info("trial %d has the settings of an earlier trial; its %s is reused", trial.number, self.metric)
                trial = self.study.ask()
            if trial is None:
                return None
            trial.set_user_attr("since", trial.user_attrs.get("since") or time.time())
        return Running(trial, self.job_of(trial.params, hours), hours)

    def _train(self, running: Running) -> None:
        """Runs one training to its end and records the result in the study, unless the whole search is being stopped."""
        trial, job, _ = running
        readings = Readings(self.metric, reported(trial))
        state, why = TrialState.COMPLETE, ""
        try:
            self._run_job(job, lambda line: self._read(line, trial, readings))
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except JobFailed as error:
            state, why = TrialState.FAIL, str(error)
        finally:
            with self.study_lock:
                _stop_the_clock(trial)
        if self.stopping.is_set():
            return  # the study keeps it as running, so the next search resumes it from its checkpoint
        value = readings.final(self.best)
        if state == TrialState.COMPLETE and value is None:
            state, why = TrialState.FAIL, "the training ended without a validation"
        with self.study_lock:
            trial.set_user_attr("why", why)
            self.study.study.tell(trial, value if state == TrialState.COMPLETE else None, state)
        remove_attempts(self.platform, job.name)

    def _run_job(self, job: TrainingJob, read_line: Callable[[str], None]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                run_job(self.platform, job, read_line, log.info)
                return
            except TryLater as error:
                if not left:
                    raise
                log.info("%s; again in %.0f s", error, _PAUSE)
                if self.stopping.wait(_PAUSE):
                    return

    def _read(self, line: str, trial: Trial, readings: Readings) -> None:
        """Reports a validation to the study. Raises TrialPruned when the training lags behind the others."""
        reading = readings.read(line)
        if reading is None:
            return
        with self.study_lock:
            trial.report(reading.value, reading.percent)
            lags = reading.percent < 100 and trial.should_prune()
        log.info(
            "trial %d: %s %s at %d %% of its steps", trial.number, self.metric, short(reading.value), reading.percent
        )
        if lags:
            raise optuna.TrialPruned

    def _spent(self) -> float:
        with self.study_lock:
            return sum(each.hours for each in self.study.facts())

    def _facts(self, trial: Trial) -> TrialFacts:
        with self.study_lock:
            return next(each for each in self.study.facts() if each.number == trial.number)

    def _stop_if_hopeless(self) -> None:
        with self.study_lock:
            facts = self.study.facts()
        failed = [each for each in facts if each.ending == "failed"]
        if len(failed) >= _HOPELESS and not any(each.ending == "completed" for each in facts):
            raise JobFailed(
                f"the first {len(failed)} trainings of the search failed. The error of the last one:\n{failed[-1].why}"
            )


def _stop_the_clock(trial: Trial) -> None:
    since = trial.user_attrs.get("since")
    if since:
        trial.set_user_attr("hours", trial.user_attrs.get("hours", 0.0) + (time.time() - since) / 3600)
        trial.set_user_attr("since", None)
