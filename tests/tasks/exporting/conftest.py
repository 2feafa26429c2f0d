"""The converters, installed once for all tests of exports."""

from pathlib import Path

import pytest

from finetune_flows.tasks.exporting.export import TOOLS


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with all converters in it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINETUNE_HOME", str(home))
        for tool in TOOLS:
            tool.install()
    return home
