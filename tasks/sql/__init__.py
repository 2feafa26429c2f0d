"""Execution accuracy for SQL: made-up databases, a sandbox, and the comparison of what two queries return."""

import logging

# What sqlglot cannot read is told by its callers, with the row it stands in; its own lines would be in the middle of their output.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)
