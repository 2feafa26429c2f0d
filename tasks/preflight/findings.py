"""One thing that was looked at: `doctor` and the preflight speak in these."""

from pydantic import BaseModel, ConfigDict


class Finding(BaseModel):
    """What was found, whether it will do, and what to do about it if not."""

    model_config = ConfigDict(frozen=True)

    what: str
    found: str
    ok: bool
    advice: str = ""
