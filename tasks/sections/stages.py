"""The sections of a recipe. Field descriptions are the help texts of the form in the Prefect UI and of docs/recipes.md.

Sections are frozen and closed: a misspelt key is an error.
"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from finetune_flows.containers.serving.cleaning import Step
from finetune_flows.tasks.sections.section import Section, rule


class MixedSource(Section):
    """A list of further sources. Their rows are mixed with those of dataset.source."""

    model_config = ConfigDict(title="Mixed source")

    source: str = Field(min_length=1, description="As dataset.source.")
    revision: str | None = Field(None, description="As dataset.revision.")
    hub_split: str = Field("train", description="As dataset.hub_split.")
    weight: float | None = Field(
        None,
        gt=0,
        description="Rows of this source for each row of dataset.source, both drawn by seed and without repetition. Empty: all "
        "its rows.",
    )


class DatasetSection(Section):
    """Where the rows come from, and how they are checked and split."""

    model_config = ConfigDict(title="Dataset")
    later: ClassVar = frozenset({"split_by", "split_column", "mix_with"})

    source: str = Field(
        min_length=1,
        description="File or folder of JSONL, JSON, CSV, TSV or Parquet, also as .gz or .zst; a pattern (data/*.jsonl); an address "
        "(s3://, gs://, hf://, https://); a folder of save_to_disk; or a hub id such as b-mc2/sql-create-context.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub data set. Required for a hub id. The run records the commit.",
    )
    hub_split: str = Field("train", description="Split of the hub data set that holds the rows.")
    test_source: str | None = Field(
        None,
        description="Rows for the test, in the same format as source. Empty: set test_share of the source aside.",
    )
    test_groups_apart: bool = Field(
        False,
        description="Drop rows that share a schema with a row of test_source, not only rows that ask the same. "
        "finetune retrain sets this when the test rows were split off from the source.",
    )
    mix_with: tuple[MixedSource, ...] = Field(
        (), description="Further sources whose rows are mixed with those of source, each with a weight."
    )
    slice_column: str | None = Field(None, description="Also report the scores for each value of this column.")
    max_rows: int = Field(0, ge=0, description="Use at most this many rows of the source, drawn by seed. 0: all.")
    test_share: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the rows for the test. All rows of one group of split_by, such as one schema, go to the same side.",
    )
    validation_share: float = Field(0.05, ge=0, lt=1, description="Share of the rows for the validation loss.")
    steps: tuple[Step, ...] = Field(
        (),
        description="Clean the texts that the model reads by these steps, in this order. "
        "The server of a classifier cleans each request the same way.",
    )
    missing: Literal["quarantine", "fill", "fail"] = Field(
        "quarantine",
        description="What to do with a row that lacks a text: quarantine it, fill the gap with fill_with, or fail the run.",
    )
    fill_with: str | None = Field(None, description="Text that replaces a missing one. Required by missing: fill.")
    min_characters: int = Field(0, ge=0, description="Quarantine rows with a shorter text.")
    max_characters: int = Field(0, ge=0, description="Quarantine rows with a longer text. 0: only the built-in limit.")
    languages: list[str] = Field(
        [],
        description="Quarantine rows whose text is clearly in none of these languages (ISO 639 codes such as en, de). Empty: keep all.",
    )
    max_tokens: int = Field(
        1024, ge=32, description="Maximum length of prompt and answer together, in tokens of the base model."
    )
    too_long: Literal["quarantine", "shorten_context"] = Field(
        "quarantine",
        description="What to do with longer rows: quarantine them, or shorten their context. The answer is never cut.",
    )
    near_duplicates: float = Field(
        0,
        ge=0,
        le=1,
        description="Drop rows at least this similar to another row, and training rows at least this similar to a row of "
        "test_source. It is a Jaccard similarity of 5-character sequences, for example 0.8. 0: keep all. "
        "Do not use it for questions that differ only in a name or a number.",
    )
    max_quarantined: float = Field(
        0.05, ge=0, le=1, description="Stop the run when a larger share of the rows is quarantined."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed for drawing and splitting the rows.")
    split_by: Literal["auto", "schema", "query", "question", "column"] = Field(
        "auto",
        description="What training and test must not share. schema: tables. query: query templates, which are queries without "
        "their values and aliases. question: questions. column: values of split_column. auto: the first of schema, query and "
        "question by which the rows can be split.",
    )
    split_column: str | None = Field(
        None,
        description="Column for split_by: column, such as the name of the database. All rows with the same value go to the same side.",
    )

    @rule
    def _leaves_rows_to_train_on(self) -> Iterator[str]:
        if self.test_source is None and self.test_share + self.validation_share >= 1:
            yield "test_share and validation_share together leave no rows to train on"

    @rule
    def _knows_the_column_to_split_by(self) -> Iterator[str]:
        if (self.split_by == "column") != (self.split_column is not None):
            yield "set split_by: column and split_column, the name of that column, together"

    @rule
    def _has_a_text_to_fill_with(self) -> Iterator[str]:
        if self.missing == "fill" and not (self.fill_with or "").strip():
            yield "missing: fill needs fill_with, the text that replaces a missing one"


class ModelSection(Section):
    """The base model."""

    model_config = ConfigDict(title="Base model")

    source: str = Field(
        min_length=1,
        description="Hub id or local folder. For weights inside an installed Python package: package:NAME/FILE.gguf, "
        "or package:NAME/FOLDER, with the name that is imported.",
    )
    revision: str | None = Field(
        None,
        description="Commit, branch or tag of the hub model. Required for a hub id. The run records the commit.",
    )
    chat_template: str | None = Field(
        None, description="File with a Jinja chat template, or 'chatml'. Required when the base model has no template."
    )
    token_variable: str = Field(
        "HF_TOKEN", description="Environment variable that holds the hub token. Gated models need a token."
    )


class ServingSection(Section):
    """The endpoint."""

    model_config = ConfigDict(title="Serving")

    engine: Literal["auto", "transformers", "vllm"] = Field(
        "auto",
        description="Library that runs the model in this project's server. auto: vllm if installed, otherwise transformers.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Number type in which the server computes."
    )
    max_batch_size: int = Field(32, ge=1, le=1024, description="Maximum number of requests in one batch.")
    max_queue: int = Field(
        1024, ge=1, description="Maximum number of waiting requests. Further requests are refused with status 429."
    )
    request_seconds: float = Field(
        600, gt=0, description="Time limit for one request, including its wait in the queue."
    )
    prefix_megabytes: int = Field(
        256, ge=0, description="Memory for beginnings that prompts share, so that each is computed once. 0: off."
    )
    max_model_length: int = Field(2048, ge=64, description="Maximum length of prompt and answer together, in tokens.")
    capture: float = Field(
        0,
        ge=0,
        le=1,
        description="Share of requests whose prompts are written to the endpoint's log. monitoring.length_drift and "
        "monitoring.vocabulary_drift read them. Prompts contain your users' words.",
    )
    startup_minutes: float = Field(10, gt=0, le=120, description="Time limit for a new endpoint to become healthy.")
    expires_after_hours: float = Field(
        1, gt=0, le=24 * 365, description="Stop the endpoint after this time, even if nobody remembers it."
    )


class EvaluationSection(Section):
    """How the answers are judged."""

    model_config = ConfigDict(title="Evaluation")

    rows: int = Field(
        200, ge=1, description="Number of test rows. The base model and the tuned model answer the same rows."
    )
    metric: str | None = Field(None, description="Score that the gate compares. Empty: the first score of the problem.")
    max_new_tokens: int = Field(256, ge=1, description="Maximum length of an answer, in tokens.")
    concurrency: int = Field(32, ge=1, le=1024, description="Maximum number of requests at the same time.")
    timeout_seconds: float = Field(600, gt=0, description="Time limit for one answer.")


class MonitoringSection(Section):
    """Limits for the serving endpoint. `finetune monitor` checks them and raises an event when one is broken."""

    model_config = ConfigDict(title="Monitoring")

    p95_seconds: float | None = Field(
        None, gt=0, description="95 % of the requests must be answered within this time. Empty: no limit."
    )
    error_rate: float | None = Field(
        None, ge=0, lt=1, description="Maximum share of requests that fail (status 400 and above). Empty: no limit."
    )
    min_requests: int = Field(
        20, ge=1, description="Draw no conclusion from fewer requests than this since the last check."
    )
    length_drift: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Maximum Kolmogorov-Smirnov distance between the lengths of captured prompts and of training rows, "
        "0 to 1. Empty: no limit.",
    )
    vocabulary_drift: float | None = Field(
        None,
        gt=0.5,
        lt=1,
        description="Maximum difference in wording: how well a linear model separates captured prompts from training rows, "
        "as area under the ROC curve (0.5 not at all, 1 perfectly). Empty: no limit.",
    )
    alarms: bool = Field(
        False,
        description="On SageMaker, also create CloudWatch alarms, which check the limits all the time. AWS bills them.",
    )
    topic: str | None = Field(
        None,
        pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:\S+$",
        description="ARN of the SNS topic that receives the alarms.",
    )

    @property
    def watched(self) -> bool:
        """Whether the recipe sets any limit."""
        limits = (self.p95_seconds, self.error_rate, self.length_drift, self.vocabulary_drift)
        return any(limit is not None for limit in limits)


class TrackingSection(Section):
    """Where finished runs are recorded for comparison, in addition to their own folders."""

    model_config = ConfigDict(title="Experiment tracking")

    to: Literal["none", "mlflow"] = Field(
        "none", description="mlflow: record parameters, scores with intervals, losses and the report in MLflow."
    )
    uri: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9+-]*://[^@]*$",
        description="Address of the MLflow server, such as http://mlflow:5000. Empty: a file on this machine. Do not put a "
        "password here: MLflow reads MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    )
