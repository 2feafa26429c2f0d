"""What is printed in a terminal. Every console of ours comes from here."""

from rich.console import Console


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that prints each text as it is, also in the cells and titles of tables.

    Rich takes `[old]` for a style and `:cat:` for a picture, and fails on `[/old]`. Our texts hold file names, rows,
    messages of others and `pip install 'finetune-flows[docker]'`, so emphasis comes from `style=` and never from the text.
    """
    return Console(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)
