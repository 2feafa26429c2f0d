"""Keys and values of all running sequences, in buffers that are written in place.

Every row ends in the same column, so the newest token of each sequence is always in the last column:

    row 0   . . a a a a|        columns [first, last) are in use; columns to the left of a row's tokens are masked
    row 1   b b b b b b|        (left padding), so the masks of transformers fit, sliding windows included
    row 2   . . . . c c|

A step writes one column. transformers' own DynamicCache would copy the whole cache in each step, and again whenever a
sequence joins or leaves.
"""

from dataclasses import dataclass

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

HEADROOM = 256  # free columns for tokens to come; a larger number means more memory and fewer moves


@dataclass
class Span:
    """The part of the buffers that is in use, the same for all layers."""

    rows: int = 0
    first: int = 0
    last: int = 0

    @property
    def columns(self) -> int:
        """Columns in use: the length of the longest row."""
        return self.last - self.first


class WindowLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers comes without types
    """One layer's keys and values, [rows, heads, columns, size of a head] each."""

    def __init__(self, span: Span) -> None:
        super().__init__()
        self.span = span
        self.keys = self.values = torch.empty(0, 0, 0, 0)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Does nothing, because `move` creates the buffers before the first step."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the newest column of each row, and return views of all columns in use, including it."""
        span = self.span
        self.keys[: span.rows, :, span.last : span.last + 1] = key_states
        self.values[: span.rows, :, span.last : span.last + 1] = value_states
        used = (slice(span.rows), slice(None), slice(span.first, span.last + 1))
        return self.keys[used], self.values[used]

    def move(self, rows: int, columns: int, last: int, like: CacheLayerMixin) -> None:
        """Move the columns in use into new buffers of this size, where they end at `last`."""
        self.keys = self._moved(self.keys, like.keys, rows, columns, last)
        self.values = self._moved(self.values, like.values, rows, columns, last)

    def _moved(self, old: torch.Tensor, like: torch.Tensor, rows: int, columns: int, last: int) -> torch.Tensor:
        # Zeros, because attention multiplies the value of a masked column by 0, and 0 * NaN is NaN.
        new = like.new_zeros(rows, like.shape[1], columns, like.shape[3])
        span = self.span
        if span.rows:
            new[: span.rows, :, last - span.columns : last] = old[: span.rows, :, span.first : span.last]
        return new

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of the columns that a mask must cover."""
        return self.span.columns + query_length, 0

    def get_seq_length(self) -> int:
        """Columns in use."""
        return self.span.columns

    def get_max_length(self) -> int:
        """-1, because the buffers grow without a limit."""
        return -1


class WindowCache(Cache):  # type: ignore[misc]
    """A cache that sequences join and leave between two steps."""

    def __init__(self, layers: int, places: int) -> None:
        self.span = Span()
        self.places = places  # the most sequences that the batch will have
        super().__init__(layers=[WindowLayer(self.span) for _ in range(layers)])

    def join(self, prefilled: DynamicCache) -> None:
        """Add the keys and values of a group of prompts, padded on the left, as rows at the end."""
        span, length = self.span, prefilled.get_seq_length()
        capacity = self.layers[0].keys.shape
        rows = span.rows + prefilled.layers[0].keys.shape[0]
        if length > span.last or rows > capacity[0]:
            self._move(rows, max(length, span.columns), like=prefilled)
        new_rows, columns = slice(span.rows, rows), slice(span.last - length, span.last)
        for layer, new in zip(self.layers, prefilled.layers, strict=True):
            for buffer, states in ((layer.keys, new.keys), (layer.values, new.values)):
                buffer[new_rows, :, columns] = states
                # A sequence that had this row before may have left NaN, which a mask does not hide.
                buffer[new_rows, :, : columns.start] = 0
        span.rows, span.first = rows, min(span.first, span.last - length)

    def leave(self, row: int, longest: int) -> None:
        """Remove a row; the last row takes its place. `longest` is the length of the longest row that stays."""
        span = self.span
        span.rows -= 1
        if row < span.rows:
            for layer in self.layers:
                layer.keys[row] = layer.keys[span.rows]
                layer.values[row] = layer.values[span.rows]
        if span.rows:
            span.first = span.last - longest
        else:
            span.first = span.last = 0

    def make_room(self) -> None:
        """Ensure a free column for the next step."""
        if self.span.last == self.layers[0].keys.shape[2]:
            self._move(self.span.rows, self.span.columns, like=self)

    def advance(self) -> None:
        """Count the column that the step has written as in use."""
        self.span.last += 1

    def _move(self, rows: int, last: int, like: Cache) -> None:
        # Rows double, up to the places of the batch, and columns get headroom, so that moves are rare. A move costs as much as
        # a step or two, because a step reads all keys and values. The first prompts of an empty batch always move, so that
        # buffers do not stay large after one long prompt.
        rows = max(rows, min(2 * self.span.rows, self.places))
        for layer, sample in zip(self.layers, like.layers, strict=True):
            layer.move(rows, last + HEADROOM, last, sample)
        self.span.first, self.span.last = last - self.span.columns, last
