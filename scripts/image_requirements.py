"""Writes containers/{training,serving,orchestrator}/requirements.txt: what an image needs, with the versions of requirements.lock.

    .venv/bin/python scripts/image_requirements.py

The closure is read from the installed packages, so run it in the environment that `make install` made. torch is left out:
each Dockerfile installs it first and with what it needs, CPU or CUDA.
"""

import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
# What the programs import that the orchestrator has anyway; the rest of an image is its extra in pyproject.toml.
ALSO = {
    "training": ["datasets", "transformers", "pydantic", "pyarrow", "jinja2"],
    "serving": ["fastapi", "transformers", "pydantic", "jinja2"],
    "orchestrator": ["finetune-flows", "docker", "asyncpg"],
}


def main() -> None:
    """Write both files."""
    for image in ALSO:
        (ROOT / "containers" / image / "requirements.txt").write_text(requirements(image), encoding="utf-8")


def requirements(image: str) -> str:
    """The file's text: one pinned package a line, sorted."""
    pins = dict(_pins())
    beside = frozenset() if image == "orchestrator" else closure(["torch"])  # what torch brings along
    wanted = closure([*ALSO[image], *_extra(image)], beside)
    lines = [f"{name}=={pins[name]}" for name in sorted(wanted) if name in pins]
    return "\n".join(
        ["# Written by scripts/image_requirements.py from requirements.lock. Not resolved again.", *lines, ""]
    )


def closure(roots: list[str], beside: frozenset[str] = frozenset()) -> frozenset[str]:
    """The packages that `roots` need, themselves included, without those in `beside`."""
    seen: set[tuple[str, str]] = set()  # package and extra: one package may be wanted with several
    waiting = [(canonicalize_name(root), "") for root in roots]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name in beside:
            continue
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        seen.add((name, extra))
        for each in map(Requirement, lines):
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                waiting += [(canonicalize_name(each.name), wanted) for wanted in ("", *each.extras)]
    return frozenset(name for name, _ in seen)


def _extra(image: str) -> list[str]:
    wanted = (Requirement(line) for line in requires("finetune-flows") or [])
    return [
        each.name for each in wanted if each.marker and each.marker.evaluate({"extra": image}) and each.name != "torch"
    ]


def _pins() -> list[tuple[str, str]]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([A-Za-z0-9._-]+)==(\S+)", line) for line in lines]
    return [(canonicalize_name(match[1]), match[2]) for match in found if match]


if __name__ == "__main__":
    main()
