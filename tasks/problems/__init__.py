"""What a model can learn: each problem turns rows into examples, and answers into verdicts."""

from tasks.problems.chat import ChatProblem
from tasks.problems.contract import Problem
from tasks.problems.text_classification import TextClassificationProblem
from tasks.problems.text_to_sql_problem import TextToSqlProblem
from tasks.recipe.chat import Chat
from tasks.recipe.problems import Problem as ProblemSection
from tasks.recipe.problems import TextClassification, TextToSql


def problem_of(section: ProblemSection) -> Problem:
    """The problem that a recipe's section names."""
    match section:
        case TextToSql():
            return TextToSqlProblem(section)
        case TextClassification():
            return TextClassificationProblem(section)
        case Chat():
            return ChatProblem(section)
