"""Importing large libraries in less time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Pause the garbage collector. It searches all objects again and again while a library creates more of them: torch,
    transformers and TRL take a sixth longer to import with it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
