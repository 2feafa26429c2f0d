"""Settings of how text-to-SQL is asked and judged: sections inside the problem's own section of a recipe."""

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.databases import RealDatabases
from finetune_flows.tasks.sections.section import Section


class SqlJudging(Section):
    """How SQL is judged."""

    model_config = ConfigDict(title="SQL judging")

    databases: int = Field(
        5, ge=1, le=50, description="Generate this many databases for each row and run both queries."
    )
    real_databases: RealDatabases | None = Field(
        None, title="Real databases", description="Databases of your own, for the score execution_real."
    )
    permute_columns: bool = Field(
        False, description="Accept columns in any order, as Spider's test-suite evaluation does."
    )
    keep_distinct: bool = Field(
        True,
        description="Keep DISTINCT in both queries. false: remove it, as Spider's test-suite evaluation does by default.",
    )
    as_sets: bool = Field(
        False, description="Ignore duplicate rows and the order of rows, as BIRD's execution accuracy does."
    )


class SqlAnswering(Section):
    """Settings that improve answers without training. docs/evaluation.md has their measured effect."""

    model_config = ConfigDict(title="SQL answering")

    grammar: bool = Field(
        False,
        description="Restrict the model's output to queries on the row's schema. Needs our server or vLLM.",
    )
    repairs: int = Field(
        0,
        ge=0,
        le=5,
        description="Ask again, with the error, for an answer that does not run on the schema: at most this many times.",
    )
    examples: int = Field(
        0,
        ge=0,
        le=16,
        description="Show this many training rows with a similar schema and question before the row's own schema.",
    )
