"""The problems a model can learn. To add one, create a folder like these and add its class to the union below."""

from typing import Annotated

from pydantic import Field

from finetune_flows.tasks.problems.chat.problem import Chat
from finetune_flows.tasks.problems.text_classification.problem import TextClassification
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql

AnyProblem = Annotated[
    TextToSql | TextClassification | Chat, Field(discriminator="kind", description="What the model learns.")
]
