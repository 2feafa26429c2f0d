"""A judge of SQL: whether a predicted query answers like the gold query.

    from finetune_flows.tasks.sql import SqlPair, judge

    for outcome in judge([SqlPair(schema, gold, prediction, "postgres", databases=5)]):
        print(outcome.execution, outcome.engine)

`schema.py` reads what tables there are, `query_facts.py` what both queries ask of them, `databases.py` makes up rows that
tell such queries apart. `engines/` runs them, each dialect in its own engine and nothing but reading; `trial.py` compares
what they return, `difference.py` says how the queries differ. `workers.py` keeps all that in processes which may be killed.
`real/` judges on databases that people have.
"""

import logging

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.workers import judge

__all__ = ["SqlOutcome", "SqlPair", "judge"]

# What sqlglot cannot read is reported by the callers, with its row; sqlglot's own lines would interrupt their output.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
