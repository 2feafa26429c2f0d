"""A judge of SQL: whether a predicted query answers like the gold query.

    from finetune_flows.tasks.sql import SqlPair, judge

    for outcome in judge([SqlPair(schema, gold, prediction, "postgres", databases=5)]):
        print(outcome.execution, outcome.engine)

How a pair is judged (`judging.py`):

1. `schema.py` reads which tables there are, from `statements.py`; `query.py` reads both queries.
2. `generator/` makes up databases on which queries that mean something else return something else.
3. `engines/` runs both queries, each dialect in its own engine, and permits nothing but reading.
4. `trial.py` compares the results (`compare.py`, `row_order.py`), one database after the other.
5. `differences/` says how a wrong query differs, in its clauses and in its rows.

`workers.py` and `worker.py` do all of this in processes that may be killed. `real/` judges on databases that people have.
To add a dialect, add an engine to `engines/` and its types to `column_types.py`.
"""

import logging

from finetune_flows.tasks.sql.judging import SqlOutcome, SqlPair
from finetune_flows.tasks.sql.workers import judge

__all__ = ["SqlOutcome", "SqlPair", "judge"]

# What sqlglot cannot read is reported by the callers, with its row; sqlglot's own lines would interrupt their output.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
