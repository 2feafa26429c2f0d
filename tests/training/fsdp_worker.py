"""One process of a sharded job on CPUs, started by torchrun: METHOD ROWS MODEL OUTPUT.

accelerate ignores FSDP on CPUs, although PyTorch shards there as well, and `choose` therefore refuses it. Both gates are
opened here, so that sharding, its checkpoints and the merge after it run without GPUs. All else is the real program.
"""

import sys
from pathlib import Path
from typing import Any

import accelerate.state as state
from accelerate.utils import DistributedType

from finetune_flows.training import job, run, trainer
from finetune_flows.training.choices import Choices, Device, choose
from finetune_flows.training.contract import Folders
from finetune_flows.training.settings import TrainingSettings
from finetune_flows.training.stopping import StopRequest
from finetune_flows.training.trainer import JobTrainer, build_trainer

make_state = state.PartialState.__init__


def make_state_for_sharding(self: Any, *args: Any, **rest: Any) -> None:
    make_state(self, *args, **rest)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def choose_unsharded(settings: TrainingSettings, device: Device) -> Choices:
    return choose(settings.model_copy(update={"sharding": "none"}), device)


def build_sharding_trainer(*args: Any) -> JobTrainer:
    made = build_trainer(*args)
    assert made.is_fsdp_enabled
    return made


if __name__ == "__main__":
    method, rows, model, output = sys.argv[1:]
    state.PartialState.__init__ = make_state_for_sharding
    job.choose = choose_unsharded
    trainer.build_trainer = build_sharding_trainer
    settings = TrainingSettings(method=method, processes=2, sharding="fsdp", max_steps=6, checkpoint_every=3)
    run.run(Folders.by_hand(Path(rows), Path(model), Path(output)), settings, StopRequest())
