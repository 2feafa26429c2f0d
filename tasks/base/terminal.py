"""Output in a terminal. All our consoles come from here."""

from rich.console import Console


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that prints each text unchanged, also in the cells and titles of tables. For emphasis use `style=`.

    Rich would interpret `[old]` as a style and `:cat:` as a picture, and fail on `[/old]`. Our texts contain file names,
    rows, messages of other programs and `pip install 'finetune-flows[docker]'`.
    """
    return Console(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)


err = console(stderr=True, soft_wrap=True)
"""The one console on standard error: Rich keeps the live area below the lines only if both are printed by the same one."""
