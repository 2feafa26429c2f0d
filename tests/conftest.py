"""What holds for every test: no model hub is asked, and the files that take longest come first."""

import gc
import os

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# Folders in which a test starts trainings and servers. Two workers end together only if their long files come first.
LONG = [
    "tests/tasks/platforms/sagemaker/test_flow",
    "tests/flows/",
    "tests/containers/",
    "tests/training/",
    "tests/tasks/platforms/",
]

# The collector would search all that the libraries and the test modules hold while they are imported, in vain.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        return next((at for at, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    gc.freeze()  # nor during the tests
    gc.enable()
