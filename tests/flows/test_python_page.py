"""The code on docs/python.md, run as a script runs it and as a notebook does, where an event loop runs already."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import ROOT

pytestmark = pytest.mark.usefixtures("reused")

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL)


def test_the_code_of_the_page_runs_also_inside_a_running_loop(
    home: Path,
    content: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = content["training"].get("max_steps", 1)
    code = "\n".join(BLOCKS).replace("training.max_steps=60", f"training.max_steps={steps}")
    (tmp_path / "tickets.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(tmp_path)
    assert "finetune(recipe)" in code

    async def cell() -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(code, names)
        return names

    names = asyncio.run(cell())
    assert names["outcome"].promoted
    assert names["champion"].model == names["outcome"].model
    assert (names["weights"] / "config.json").exists()
    assert names["outcome"].address in capsys.readouterr().out
