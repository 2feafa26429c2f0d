"""Output in a terminal. All our consoles come from here."""

from collections.abc import Iterator

from rich import table
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text


def console(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console that prints each text unchanged, also in the cells and titles of tables. For emphasis use `style=`.

    Rich would interpret `[old]` as a style and `:cat:` as a picture, and fail on `[/old]`. Our texts contain file names,
    rows, messages of other programs and `pip install 'finetune-flows[docker]'`.
    """
    return Console(stderr=stderr, soft_wrap=soft_wrap, markup=False, emoji=False, highlight=False)


err = console(stderr=True, soft_wrap=True)
"""The one console on standard error: Rich keeps the live area below the lines only if both are printed by the same one."""


class Table(table.Table):
    """A table; where the terminal is too narrow for it, a list with a line for each cell, so that no path is cut or broken.

    A column of prose (`overflow="fold"`) is what makes a table narrow enough by itself.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        whole = self.__rich_measure__(console, options.update_width(1_000_000)).maximum
        if whole <= options.max_width or any(column.overflow == "fold" for column in self.columns):
            yield from super().__rich_console__(console, options)
        else:
            yield from self._lines()

    def _lines(self) -> Iterator[Text]:
        headers = [str(column.header) for column in self.columns]
        width = max(map(len, headers))
        if self.title:
            yield Text(str(self.title), style="italic")
        for row in zip(*(column.cells for column in self.columns), strict=True):
            for header, cell in zip(headers, map(str, row), strict=True):
                if cell:
                    yield Text(f"{header:{width}}  {cell}".replace("\n", "\n" + " " * (width + 2)))
            yield Text()
