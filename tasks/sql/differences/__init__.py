"""How a prediction differs from the gold: in its clauses (`clauses.py`), and in the rows that it returns (`rows.py`)."""
