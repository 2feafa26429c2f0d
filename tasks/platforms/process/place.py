"""The folders of one home, and the interpreters that jobs and endpoints run with."""

import sys
from pathlib import Path

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.sections.platforms import ProcessPlatform


class Place:
    """The settings and folders that jobs and endpoints share."""

    def __init__(self, section: ProcessPlatform | None = None, root: Path | None = None) -> None:
        self.section = section or ProcessPlatform()
        self.root = root or home()
        self.python = self.section.python or sys.executable
        self.serving_python = self.section.serving_python or self.python
