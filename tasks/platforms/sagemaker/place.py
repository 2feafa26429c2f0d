"""One section's place in AWS: its clients, its tags, a local folder for logs and records; and how to poll AWS."""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.files import home, read_model, write_json
from finetune_flows.tasks.platforms.contract import Labels
from finetune_flows.tasks.sections.sagemaker import SageMakerPlatform

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds


class Place:
    """The clients and folders that jobs and endpoints share."""

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
        """Stores the section on this machine, so that `sweep` and `endpoint list` know where to look."""
        text = self.section.model_dump_json()
        file = self.root / "places" / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, self.section.model_dump(mode="json"))

    def labels_of(self, arn: str) -> tuple[Labels, dict[str, str]] | None:
        """Our labels and all tags of a resource; None if it is not ours or has another prefix."""
        pages = self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        if tags.get("finetune:home") != self.clients.home:
            return None
        own = {name: tags[f"finetune:{name}"] for name in Labels.model_fields}
        return Labels(**own | {"expires_at": datetime.fromisoformat(own["expires_at"])}), tags


def remembered(root: Path | None = None) -> list[SageMakerPlatform]:
    """All sections ever used on this machine, one for each region, profile, bucket and prefix."""
    files = sorted(((root or home() / "sagemaker") / "places").glob("*.json"))
    sections = [section for file in files if (section := read_model(file, SageMakerPlatform))]
    return list({(each.region, each.profile, each.bucket, each.prefix): each for each in sections}.values())


def polls(sleep: Callable[[float], None] = time.sleep) -> Iterator[int]:
    """Counts polls without end, with a pause after each, because jobs may run for days.

    Pauses grow from half a second to ten, and vary at random, because AWS throttles clients that ask at the same moment.
    """
    pause, count = _FIRST_PAUSE, 0
    while True:
        yield count
        count += 1
        sleep(pause * random.uniform(0.75, 1.25))
        pause = min(pause * 1.4, _LONGEST_PAUSE)
