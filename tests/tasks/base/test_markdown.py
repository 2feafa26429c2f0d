"""Tables, as another reader of Markdown sees them."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from finetune_flows.tasks.base.markdown import code, table

RENDER = MarkdownIt("commonmark").enable("table").render


def test_a_table_has_a_row_for_each_row_and_keeps_its_empty_cells() -> None:
    lines = table(["what", "n"], [("rows", "1"), ("", "2")])
    assert lines == ["| what | n |", "| --- | --- |", "| rows | 1 |", "|  | 2 |"]
    assert RENDER("\n".join(lines)).count("<tr>") == 3


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_no_text_breaks_out_of_its_cell(texts: list[tuple[str, str]]) -> None:
    html = RENDER("\n".join(table(["a", "b"], [(code(first), code(second)) for first, second in texts])))
    assert html.count("<tr>") == 1 + len(texts)
    assert html.count("<td>") == 2 * len(texts)
