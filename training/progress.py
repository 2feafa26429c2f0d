"""Reports the progress of a training: one `key=value` line per logged step."""

import math
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finetune_flows.training.problems import TrainingProblem
from finetune_flows.training.stopping import StopRequest

VALIDATION = "eval_loss"  # the trainer's name for it
SCORES = {"validation_accuracy": "eval_accuracy", "validation_macro_f1": "eval_macro_f1"}  # ours and the trainer's


def validation_score(entry: dict[str, float], by: str) -> float | None:
    """The score of a validation, higher is better; None when `entry` is not a validation."""
    value = entry.get(f"eval_{by}")
    return -value if value is not None and by == "loss" else value


def report(**values: Any) -> None:
    """Print one line of `key=value` pairs. SageMaker reads metrics from whole lines by regular expressions."""
    print(" ".join(f"{key}={_short(value)}" for key, value in values.items() if value is not None), flush=True)


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


class StopAfterStep(TrainerCallback):
    """Ends the training with a checkpoint after the step in which a stop was requested."""

    def __init__(self, stop: StopRequest) -> None:
        self.stop = stop

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Request the checkpoint and the end. After the last step there is nothing left to stop."""
        if state.global_step < state.max_steps and self.stop.came_to_any():
            self.stop.came = True
            control.should_evaluate = False
            control.should_save = True
            control.should_training_stop = True


class StopEarly(TrainerCallback):
    """Ends the training with a checkpoint after `patience` validations in a row without improvement."""

    def __init__(self, by: str, patience: int) -> None:
        self.by = by
        self.patience = patience

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Count the validations since the best one."""
        if self.is_due(state) and state.global_step < state.max_steps:
            control.should_save = True
            control.should_training_stop = True
            if state.is_world_process_zero:
                print(f"stopped early: {self.patience} validations without a better {self.by}", flush=True)

    def is_due(self, state: TrainerState) -> bool:
        """Whether the last validation was this step, and `patience` validations have brought nothing better."""
        validations = [entry for entry in state.log_history if validation_score(entry, self.by) is not None]
        scores = [validation_score(entry, self.by) or 0.0 for entry in validations]
        just_validated = bool(validations) and validations[-1]["step"] == state.global_step
        return just_validated and len(scores) - 1 - scores.index(max(scores)) >= self.patience


class ProgressLines(TrainerCallback):
    """Prints the progress lines, and ends the training when the loss is not a number."""

    def __init__(self) -> None:
        self._busy_in_all = 0.0
        self._started = 0.0
        self._first_step = 0
        self._step_began = 0.0
        self._busy = 0.0
        self._tokens = 0
        self._first_tokens = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        """Remember where this process starts. A resumed training starts with the steps and tokens so far."""
        self._started = time.monotonic()
        self._first_step = state.global_step
        self._tokens = self._first_tokens = state.num_input_tokens_seen

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Start timing the step."""
        self._step_began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any) -> None:
        """Add the time of the step. Time between steps, such as validations, does not count for the speed."""
        took = time.monotonic() - self._step_began
        self._busy += took
        self._busy_in_all += took

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **rest: Any,
    ) -> None:
        """Print the values of a training step or of a validation."""
        logs = logs or {}
        if "loss" in logs:
            self._step(state, logs)
        elif VALIDATION in logs and state.is_world_process_zero:
            scores = {name: logs.get(theirs) for name, theirs in SCORES.items()}
            report(step=state.global_step, validation_loss=logs[VALIDATION], **scores)

    def tokens_per_second(self, state: TrainerState) -> float:
        """Tokens without padding, per second of the training steps of this process."""
        tokens: int = state.num_input_tokens_seen - self._first_tokens
        return tokens / max(self._busy_in_all, 1e-9)

    def _step(self, state: TrainerState, logs: dict[str, float]) -> None:
        if not math.isfinite(logs["loss"]):
            raise TrainingProblem(
                f"The loss is {logs['loss']} at step {state.global_step}. Lower training.learning_rate, or set "
                "training.dtype to float32."
            )
        speed = (state.num_input_tokens_seen - self._tokens) / max(self._busy, 1e-9)
        self._tokens, self._busy = state.num_input_tokens_seen, 0.0
        done = state.global_step - self._first_step
        each = (time.monotonic() - self._started) / max(done, 1)
        if state.is_world_process_zero:
            report(
                step=state.global_step,
                steps=state.max_steps,
                epoch=state.epoch,
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                grad_norm=logs.get("grad_norm"),
                tokens_per_second=round(speed),
                seconds_left=round(each * (state.max_steps - state.global_step)),
                gpu_memory_mib=torch.cuda.max_memory_reserved() >> 20 if torch.cuda.is_available() else None,
            )
