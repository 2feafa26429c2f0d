"""Delete endpoints and jobs past their expiry, and half-written artefacts, whoever left them."""

import shutil
from datetime import UTC, datetime, timedelta

from prefect import flow

from finetune_flows.tasks.base.files import home
from finetune_flows.tasks.platforms import platforms_in_use
from finetune_flows.tasks.progress import log

_DRAFT_LIFETIME = timedelta(days=1)  # no step takes longer to write an artefact


@flow(name="sweep")
def sweep() -> list[str]:
    """Deletes everything past its expiry and returns a line for each deletion. Safe to run at any time."""
    now = datetime.now(UTC)
    swept = [line for platform in platforms_in_use() for line in platform.sweep(now)]
    for draft in sorted((home() / "artifacts" / "drafts").glob("*")):
        if datetime.fromtimestamp(draft.stat().st_mtime, UTC) + _DRAFT_LIFETIME < now:
            shutil.rmtree(draft, ignore_errors=True)
            swept.append(f"draft {draft.name}")
    for line in swept:
        log.info("swept: %s", line)
    return swept
