"""Execution accuracy for SQL: made-up databases, a sandbox, and the comparison of what two queries return."""
