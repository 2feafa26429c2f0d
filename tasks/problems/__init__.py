"""What a model can learn: each problem turns rows into examples, and answers into verdicts."""

from finetune_flows.tasks.problems.chat.problem import ChatProblem
from finetune_flows.tasks.problems.chat.section import Chat
from finetune_flows.tasks.problems.contract import Problem
from finetune_flows.tasks.problems.sections import Problem as ProblemSection
from finetune_flows.tasks.problems.text_classification.problem import TextClassificationProblem
from finetune_flows.tasks.problems.text_classification.section import TextClassification
from finetune_flows.tasks.problems.text_to_sql.problem import TextToSqlProblem
from finetune_flows.tasks.problems.text_to_sql.section import TextToSql


def problem_of(section: ProblemSection) -> Problem:
    """The problem that a recipe's section names."""
    match section:
        case TextToSql():
            return TextToSqlProblem(section)
        case TextClassification():
            return TextClassificationProblem(section)
        case Chat():
            return ChatProblem(section)
