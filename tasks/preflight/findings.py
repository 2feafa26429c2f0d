"""The result of one check. `doctor` and the preflight report a list of these."""

from finetune_flows.tasks.base.values import Frozen


class Finding(Frozen):
    """What was checked, what was found, whether it is good enough, and what to do if it is not."""

    what: str
    found: str
    ok: bool
    advice: str = ""
