"""What the model learns: one of these sections."""

from typing import Annotated

from pydantic import Field

from finetune_flows.tasks.problems.chat.section import Chat
from finetune_flows.tasks.problems.text_classification.section import TextClassification
from finetune_flows.tasks.problems.text_to_sql.section import TextToSql

Problem = Annotated[
    TextToSql | TextClassification | Chat, Field(discriminator="kind", description="What the model learns.")
]
