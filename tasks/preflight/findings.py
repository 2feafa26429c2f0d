"""One thing that was looked at: `doctor` and the preflight speak in these."""

from finetune_flows.tasks.base.values import Frozen


class Finding(Frozen):
    """What was found, whether it will do, and what to do about it if not."""

    what: str
    found: str
    ok: bool
    advice: str = ""
