"""Tables in a wide and in a narrow terminal."""

from io import StringIO

from rich.console import Console

from finetune_flows.tasks.base.terminal import Table

PATH = "/home/someone/.finetune/artifacts/base-model/b4e65bdacd36237233b16bea"


def shown(width: int) -> str:
    table = Table("", "what", "where", "next", title="Found")
    table.add_row("ok", "model [old]", PATH, "")
    table.add_row("PROBLEM", "rows", "nowhere", "first\nsecond")
    console = Console(file=StringIO(), width=width, soft_wrap=True, markup=False)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_table_that_fits_is_a_table() -> None:
    assert f"│ ok      │ model [old] │ {PATH} │        │" in shown(140)


def test_a_table_that_does_not_fit_is_a_list_with_whole_cells() -> None:
    assert shown(60) == (
        f"Found\n       ok\nwhat   model [old]\nwhere  {PATH}\n\n"
        "       PROBLEM\nwhat   rows\nwhere  nowhere\nnext   first\n       second\n\n"
    )
