"""One section's place in AWS: its clients, its tags, and a folder here for logs and for what must be found again.

And how AWS is waited for: by asking again and again.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.files import home, write_json
from finetune_flows.tasks.platforms.contract import Labels
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds


class Place:
    """What jobs and endpoints share."""

    def __init__(
        self,
        section: SageMakerPlatform | None = None,
        root: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.section = section or SageMakerPlatform()
        self.root = root or home() / "sagemaker"
        self.clients = Clients(self.section)
        self.sleep, self.clock = sleep, clock

    @property
    def sagemaker(self) -> Any:
        """The client of SageMaker's own API."""
        return self.clients.client("sagemaker")

    def remember(self) -> None:
        """Leaves the section here, so that `sweep` and `endpoint list` know where to look."""
        text = self.section.model_dump_json()
        file = self.root / "places" / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, self.section.model_dump(mode="json"))

    def labels_of(self, arn: str) -> tuple[Labels, dict[str, str]] | None:
        """Our labels, and all tags, of a thing; None when it is not ours or of another prefix."""
        pages = self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        if tags.get("finetune:home") != self.clients.home:
            return None
        own = {name: tags[f"finetune:{name}"] for name in Labels.model_fields}
        return Labels(**own | {"expires_at": datetime.fromisoformat(own["expires_at"])}), tags


def remembered(root: Path | None = None) -> list[SageMakerPlatform]:
    """The sections that were ever used here, one for each bucket and prefix."""
    files = sorted(((root or home() / "sagemaker") / "places").glob("*.json"))
    sections = [SageMakerPlatform.model_validate_json(file.read_text(encoding="utf-8")) for file in files]
    return list({(each.region, each.profile, each.bucket, each.prefix): each for each in sections}.values())


def polls(sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Counts at once, and then after each pause, without end: jobs may run for days.

    Soon at first, then every ten seconds, and never all at the same moment: AWS throttles those who ask together.
    """
    pause, count = _FIRST_PAUSE, 0
    while True:
        yield count
        count += 1
        sleep(pause * random.uniform(0.75, 1.25))
        pause = min(pause * 1.4, _LONGEST_PAUSE)
