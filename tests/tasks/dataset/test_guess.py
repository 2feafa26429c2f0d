"""What `data check` guesses from the columns of rows."""

import pytest

from finetune_flows.tasks.base.errors import DatasetError
from finetune_flows.tasks.dataset.guess import guess_problem


def test_the_example_of_a_refusal_names_the_columns_of_the_rows() -> None:
    rows = [
        {"Ticket ID": f"T-{n}", "Body text": f"The app crashes on {n}", "Queue (final)": "ab"[n % 2]} for n in range(9)
    ]
    with pytest.raises(DatasetError, match=r"'problem.text=Body text' --set 'problem.label=Queue \(final\)'"):
        guess_problem(rows)
