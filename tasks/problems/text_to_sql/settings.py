"""How text-to-SQL is asked and judged: the sections below its own in a recipe."""

from pydantic import ConfigDict, Field

from finetune_flows.tasks.sections.databases import RealDatabases
from finetune_flows.tasks.sections.section import Section


class SqlJudging(Section):
    """How SQL is judged."""

    model_config = ConfigDict(title="SQL judging")

    databases: int = Field(5, ge=1, le=50, description="Databases made up for each row, on which both queries are run.")
    real_databases: RealDatabases | None = Field(
        None, title="Real databases", description="Databases of your own, for the score execution_real."
    )
    permute_columns: bool = Field(
        False, description="Accept the columns in another order, as Spider's test-suite evaluation does."
    )
    keep_distinct: bool = Field(
        True,
        description="Off: DISTINCT is taken out of both queries, as Spider's test-suite evaluation does by default.",
    )
    as_sets: bool = Field(
        False, description="Let neither duplicate rows nor their order count, as BIRD's execution accuracy does."
    )


class SqlAnswering(Section):
    """Levers that need no training. docs/evaluation.md says what they were measured to give."""

    model_config = ConfigDict(title="SQL answering")

    grammar: bool = Field(
        False,
        description="The server lets the model write nothing but a query of the row's schema. Needs our server or vLLM.",
    )
    repairs: int = Field(
        0,
        ge=0,
        le=5,
        description="An answer that does not run on the schema is asked for again, at most so many times.",
    )
    examples: int = Field(
        0,
        ge=0,
        le=16,
        description="Training rows of similar schema and question that stand before the row's own schema.",
    )
