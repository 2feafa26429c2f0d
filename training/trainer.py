"""Sets up TRL's SFTTrainer for a job."""

import trl.trainer.utils
from transformers import PreTrainedModel
from trl import SFTConfig, SFTTrainer

from finetune_flows.training.adapter import adapter_config, load_adapter
from finetune_flows.training.job import Job
from finetune_flows.training.stopping import StopRequest
from finetune_flows.training.trainer_base import JobMethods, common_arguments, job_options, set_steps


class JobTrainer(JobMethods, SFTTrainer):
    """SFTTrainer with complete checkpoints that keeps the weights of the best validation."""


def build_trainer(job: Job, model: PreTrainedModel, stop: StopRequest) -> JobTrainer:
    """A trainer that writes its checkpoints into the job's folder and prints one line per logged step."""
    score_answers_only()
    start = job.folders.start
    trainer = JobTrainer(
        model=load_adapter(model, start) if start else model,
        args=_arguments(job),
        train_dataset=job.train.tokens,
        eval_dataset=job.validation.tokens if job.validation else None,
        processing_class=job.tokenizer,
        peft_config=adapter_config(job.settings, model) if job.has_adapter and not start else None,
        **job_options(job, stop),
    )
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:  # TRL makes the adapter of a 4-bit model bfloat16, which loses small updates
            parameter.data = parameter.data.float()
    set_steps(trainer, job.settings)
    return trainer


def score_answers_only() -> None:
    """Make TRL compute logits only for positions with a label, on a CPU as on a GPU.

    TRL does so if `_use_triton(device)`. Otherwise it computes every position, because a varying shape would make some
    accelerators recompile. A CPU does not compile, and answers are a small share of the tokens.
    """
    trl.trainer.utils._use_triton = lambda device: True


def _arguments(job: Job) -> SFTConfig:
    packing = job.choices.batching.value == "packing"
    return SFTConfig(
        # Every row fits already. TRL needs a length only as the size of a pack.
        max_length=job.settings.max_length if packing else None,
        packing=packing,
        trust_remote_code=job.settings.trust_remote_code,
        **common_arguments(job),
    )
