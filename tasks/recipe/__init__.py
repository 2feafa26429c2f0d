"""The recipe: its sections, and how its file is read and checked.

It belongs to tasks/ and not to flows/, because the stages take its sections, and tasks never import flows.
"""

from finetune_flows.tasks.problems.chat.problem import Chat
from finetune_flows.tasks.problems.text_classification.problem import TextClassification
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSql
from finetune_flows.tasks.recipe.load import dump_recipe, load_recipe, load_saved_recipe, parse_recipe
from finetune_flows.tasks.recipe.recipe import Recipe
from finetune_flows.tasks.sections.gate import GateSection
from finetune_flows.tasks.sections.platforms import DockerPlatform, Platform, ProcessPlatform
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform
from finetune_flows.tasks.sections.stages import (
    DatasetSection,
    EvaluationSection,
    ModelSection,
    MonitoringSection,
    ServingSection,
    TrackingSection,
)
from finetune_flows.tasks.sections.tuning import SearchRange, TuningSection
from finetune_flows.training.settings import TrainingSettings

__all__ = [
    "Chat",
    "DatasetSection",
    "DockerPlatform",
    "EvaluationSection",
    "GateSection",
    "ModelSection",
    "MonitoringSection",
    "Platform",
    "ProcessPlatform",
    "Recipe",
    "SageMakerPlatform",
    "SearchRange",
    "ServingSection",
    "TextClassification",
    "TextToSql",
    "TrackingSection",
    "TrainingSettings",
    "TuningSection",
    "dump_recipe",
    "load_recipe",
    "load_saved_recipe",
    "parse_recipe",
]
