"""The sections of a recipe: frozen, closed (a misspelt key is an error), described for the person who fills in the form."""

from collections.abc import Iterator
from typing import Literal

from pydantic import ConfigDict, Field

from finetune_flows.containers.serving.cleaning import Step
from finetune_flows.tasks.sections.section import Section, rule


class DatasetSection(Section):
    """Where the rows come from, and how they are checked and split."""

    model_config = ConfigDict(title="Dataset")

    source: str = Field(
        min_length=1,
        description="File or folder of JSONL, JSON, CSV or Parquet, or a hub id such as b-mc2/sql-create-context.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub data set; a hub id needs one. The commit it stands for is recorded.",
    )
    hub_split: str = Field("train", description="Split of the hub data set that holds the rows.")
    test_source: str | None = Field(
        None,
        description="Rows kept apart for the test, of the same form. Without it, test_share of the source is taken.",
    )
    test_groups_apart: bool = Field(
        False,
        description="Leave out rows that share a schema with a row of test_source, not only those that ask the same. "
        "finetune retrain sets it for a test that was split off.",
    )
    slice_column: str | None = Field(None, description="Column by whose values the scores are also reported.")
    max_rows: int = Field(0, ge=0, description="Use so many rows of the source, drawn by seed; 0: all.")
    test_share: float = Field(
        0.2, gt=0, lt=1, description="Share of the rows for the test. Whole schemas go to one side."
    )
    validation_share: float = Field(0.05, ge=0, lt=1, description="Share of the rows for the validation loss.")
    steps: tuple[Step, ...] = Field(
        (),
        description="What is done to the texts that the model reads, in this order. A classifier's server does it too.",
    )
    missing: Literal["quarantine", "fill", "fail"] = Field(
        "quarantine",
        description="What becomes of a row without a text: left out, filled with fill_with, or the run ends.",
    )
    fill_with: str | None = Field(None, description="Text in the place of a missing one.")
    min_characters: int = Field(0, ge=0, description="Rows with a shorter text are quarantined.")
    max_characters: int = Field(0, ge=0, description="Rows with a longer text are quarantined; 0: no limit but ours.")
    languages: list[str] = Field(
        [],
        description="Rows are quarantined whose text is clearly in none of these, as ISO 639 codes such as en, de. Empty: all stay.",
    )
    max_tokens: int = Field(1024, ge=32, description="Longest prompt and answer together, in tokens of the base model.")
    too_long: Literal["quarantine", "shorten_context"] = Field(
        "quarantine", description="What becomes of longer rows. The answer is never cut."
    )
    near_duplicates: float = Field(
        0,
        ge=0,
        le=1,
        description="Rows go whose text is so similar to another's (Jaccard similarity of runs of 5 characters, such as 0.8), and "
        "training rows so near to a row of test_source. 0: none. Not for questions that differ in a name or number.",
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="The run stops when a larger share of the rows is unusable."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of the draw and the split.")

    @rule
    def _leaves_rows_to_train_on(self) -> Iterator[str]:
        if self.test_source is None and self.test_share + self.validation_share >= 1:
            yield "test_share and validation_share together leave no rows to train on"

    @rule
    def _has_a_text_to_fill_with(self) -> Iterator[str]:
        if self.missing == "fill" and not (self.fill_with or "").strip():
            yield "missing: fill needs fill_with, the text to fill with"


class ModelSection(Section):
    """The base model."""

    model_config = ConfigDict(title="Base model")

    source: str = Field(
        min_length=1,
        description="Hub id, local folder, or package:<import name>/<file>.gguf or <folder> for weights that a Python package ships.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub model; a hub id needs one. The commit it stands for is recorded.",
    )
    chat_template: str | None = Field(
        None, description="File with a Jinja chat template, or 'chatml'. Needed when the base model has none."
    )
    token_variable: str = Field(
        "HF_TOKEN", description="Name of the environment variable that holds the hub token, for gated models."
    )


class ServingSection(Section):
    """The endpoint."""

    model_config = ConfigDict(title="Serving")

    engine: Literal["auto", "transformers", "vllm"] = Field(
        "auto", description="What computes in our own server. auto: vllm where it is installed, else transformers."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Computing type of the server."
    )
    max_batch_size: int = Field(32, ge=1, le=1024, description="Requests that are computed together.")
    max_queue: int = Field(1024, ge=1, description="Requests that may wait; further ones are refused for the moment.")
    request_seconds: float = Field(600, gt=0, description="Longest time for one request, its wait included.")
    prefix_megabytes: int = Field(
        256, ge=0, description="Memory for beginnings that prompts share, which are then read once. 0: none."
    )
    max_model_length: int = Field(2048, ge=64, description="Longest prompt and answer together, in tokens.")
    capture: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of requests whose prompts stand in the endpoint's log, for monitoring.length_drift and "
        "vocabulary_drift. They are your users' words.",
    )
    startup_minutes: float = Field(10, gt=0, le=120, description="The endpoint must be healthy within so many minutes.")
    expires_after_hours: float = Field(
        1, gt=0, le=24 * 365, description="An endpoint stops by itself after so many hours, whoever forgot it."
    )


class EvaluationSection(Section):
    """How the answers are judged."""

    model_config = ConfigDict(title="Evaluation")

    rows: int = Field(200, ge=1, description="Test rows that are asked, the same for base and tuned model.")
    metric: str | None = Field(
        None, description="The score that the gate looks at; default: the first that stands under the problem."
    )
    max_new_tokens: int = Field(256, ge=1, description="Longest answer in tokens.")
    concurrency: int = Field(32, ge=1, le=1024, description="Requests under way at once.")
    timeout_seconds: float = Field(600, gt=0, description="Longest wait for one answer.")


class ScoreLimits(Section):
    """What is wanted of one further score. Each is shown with the gate's confidence, by bootstrap."""

    min_score: float | None = Field(None, ge=0, le=1, description="The score must be above this.")
    min_gain: float | None = Field(None, ge=-1, le=1, description="The gain over the base model must be above this.")
    max_loss: float | None = Field(None, ge=0, le=1, description="The loss to the champion must be below this.")


class GateSection(Section):
    """When the tuned model may serve. Scores must be shown with the confidence; limits hold for what was measured."""

    model_config = ConfigDict(title="Gate")

    min_score: float = Field(0.0, ge=0, le=1, description="Least score of the tuned model. 0: any.")
    min_gain: float = Field(
        0.0, ge=-1, le=1, description="The gain over the base model, on the same rows, must be above this. -1: any."
    )
    max_loss: float | None = Field(
        0.02,
        ge=0,
        le=1,
        description="The loss to the champion, on the same rows, must be below this. 0: the champion must be beaten. "
        "Empty: the champion is not asked.",
    )
    scores: dict[str, ScoreLimits] = Field(
        default_factory=dict,
        description="Conditions on further scores, by name: of a classifier macro_f1 and its like, of chats rouge_l and chrf. "
        "Each may have min_score, min_gain and max_loss.",
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="How surely each of these must be shown. A model no better than its bound passes one time in twenty "
        "at 0.95, at most.",
    )
    max_latency_seconds: float | None = Field(
        None, gt=0, description="19 of 20 answers must come within so many seconds, at evaluation.concurrency requests."
    )
    max_error_rate: float | None = Field(None, ge=0, lt=1, description="Largest share of requests that may fail.")
    max_invalid_sql: float | None = Field(
        None, ge=0, lt=1, description="Largest share of the answers that may be no valid SQL."
    )
    approval: bool = Field(
        False, description="A model that passed serves only when a person has approved: finetune promote, or the UI."
    )


class MonitoringSection(Section):
    """Limits for what serves. `finetune monitor` looks, and raises an event when one is broken."""

    model_config = ConfigDict(title="Monitoring")

    p95_seconds: float | None = Field(
        None, gt=0, description="19 of 20 requests must be answered within so many seconds. Empty: no limit."
    )
    error_rate: float | None = Field(
        None, ge=0, lt=1, description="Largest share of requests that may fail, status 400 and above. Empty: no limit."
    )
    min_requests: int = Field(20, ge=1, description="Of fewer requests since the last look nothing is concluded.")
    length_drift: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Largest Kolmogorov-Smirnov distance between the lengths of captured prompts and of training rows, "
        "0 to 1. Empty: no limit.",
    )
    vocabulary_drift: float | None = Field(
        None,
        gt=0.5,
        lt=1,
        description="How well a linear model may tell captured prompts from training rows by their words: area under the "
        "ROC curve, 0.5 not at all, 1 perfectly. Empty: no limit.",
    )
    alarms: bool = Field(
        False, description="On SageMaker, CloudWatch alarms watch the limits too, all the time. They are billed."
    )
    topic: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:\S+$",
        description="ARN of the SNS topic that the alarms tell.",
    )

    @property
    def watched(self) -> bool:
        """Whether any limit is given."""
        limits = (self.p95_seconds, self.error_rate, self.length_drift, self.vocabulary_drift)
        return any(limit is not None for limit in limits)


class TrackingSection(Section):
    """Where finished runs are written down, beside their own folders, to be compared."""

    model_config = ConfigDict(title="Experiment tracking")

    to: Literal["none", "mlflow"] = Field(
        "none", description="mlflow: parameters, scores with intervals, losses and the report go into MLflow."
    )
    uri: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9+-]*://[^@]*$",
        description="MLflow's server, such as http://mlflow:5000; default: a file of this machine. No password here: MLflow "
        "reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    )
