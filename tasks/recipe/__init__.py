"""The recipe: its sections, its file, and every problem in it told at once.

The sections stand here and not in flows/, because the stages take them and imports only go from flows to tasks.
"""

from tasks.recipe.chat import Chat
from tasks.recipe.load import dump_recipe, load_recipe, parse_recipe
from tasks.recipe.platforms import DockerPlatform, Platform, ProcessPlatform
from tasks.recipe.problems import Problem, TextClassification, TextToSql
from tasks.recipe.recipe import Recipe
from tasks.recipe.sagemaker import SageMakerPlatform
from tasks.recipe.sections import (
    DatasetSection,
    EvaluationSection,
    GateSection,
    ModelSection,
    MonitoringSection,
    ServingSection,
    TrackingSection,
)
from tasks.recipe.tuning import SearchRange, TuningSection
from training.settings import TrainingSettings

__all__ = [
    "Chat",
    "DatasetSection",
    "DockerPlatform",
    "EvaluationSection",
    "GateSection",
    "ModelSection",
    "MonitoringSection",
    "Platform",
    "Problem",
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
    "parse_recipe",
]
