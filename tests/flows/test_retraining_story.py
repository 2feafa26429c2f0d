"""The story of docs/retraining_story.py at reduced size: who serves after each week, and what the client counted."""

import importlib.util
from pathlib import Path

import pytest

from tests import ROOT

pytestmark = pytest.mark.slow
STORY = ROOT / "docs" / "retraining_story.py"


def test_new_rows_are_learnt_poisoned_ones_refused_and_no_request_is_lost(home: Path, tmp_path: Path) -> None:
    specification = importlib.util.spec_from_file_location("retraining_story", STORY)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    told, counted = module.tell(tmp_path, 300)
    assert [line.rsplit(": ", 1)[1] for line in told[:4]] == ["promoted", "nothing new", "promoted", "refused"]
    assert told[4].startswith("rolled back")
    assert counted["answered"] > 10
    assert set(counted) == {"answered"}
