"""Draws docs/pictures/architecture.png from the imports: `python -m scripts.draw_architecture`, after folders changed.

A box is a folder, an arrow says "imports". An arrow is left out where a longer way says the same: if A imports B and B
imports C, the arrow from A to C adds nothing. An arrow that goes up is red: it breaks the rule of the architecture test.
The picture carries its arrows as text, so that a test notices when it is out of date.
"""

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from PIL import Image

from tests.architecture.test_imports import FOLDERS

PICTURE = Path("docs/pictures/architecture.png")
PACKAGE = "finetune_flows."
TOP = ("flows", "tasks", "training", "containers")
STAGES = "tasks/*.py"
ORDER = ("containers", "training", *(f"tasks/{folder}" for folder in FOLDERS), STAGES, "flows")  # from the bottom up
COLOURS = {"flows": "#dbeafe", STAGES: "#dcfce7", "training": "#fde68a", "containers": "#fde68a"}
Arrow = tuple[str, str]


def arrows() -> set[Arrow]:
    """Which folder imports from which."""
    found = set()
    for path in (path for top in TOP for path in Path(top).rglob("*.py")):
        here = _box(path.with_suffix("").parts)
        found |= {(here, there) for there in map(_box, _ours(path)) if there != here}
    return found


def shown(found: set[Arrow]) -> set[Arrow]:
    """The arrows without those that a longer way already says."""
    down = {(here, there) for here, there in found if ORDER.index(there) < ORDER.index(here)}
    reach: dict[str, set[str]] = {}
    kept = found - down
    for box in ORDER:
        direct = {there for here, there in down if here == box}
        farther = {end for there in direct for end in reach[there]}
        kept |= {(box, there) for there in direct - farther}
        reach[box] = direct | farther
    return kept


def drawn() -> list[list[str]]:
    """The arrows that the picture was made from."""
    with Image.open(PICTURE) as picture:
        arrows_then: list[list[str]] = json.loads(picture.info["Description"])
    return arrows_then


def draw() -> None:
    """Writes the picture."""
    kept = shown(arrows())
    place = _places(kept)
    top, side = max(y for _, y in place.values()), max(abs(x) for x, _ in place.values())
    figure, axes = pyplot.subplots(figsize=(6.5 * side, 0.9 * top), dpi=110)
    figure.subplots_adjust(left=0, bottom=0, right=1, top=1)
    axes.set(xlim=(-side - 0.3, side + 0.3), ylim=(-0.3, top + 0.3))
    axes.set_axis_off()
    boxes = {}
    for box, (x, y) in place.items():
        style = {"boxstyle": "round,pad=0.45", "facecolor": COLOURS.get(box, "#f1f5f9"), "edgecolor": "#334155"}
        boxes[box] = axes.text(x, y, box, ha="center", va="center", fontsize=12, bbox=style, zorder=3)
    figure.canvas.draw()  # the arrows end where the boxes do, and those get their size only now
    for here, there in sorted(kept):
        up = ORDER.index(there) > ORDER.index(here)
        style = {"color": "#dc2626" if up else "#64748b", "connectionstyle": _bend(place[here], place[there])}
        ends = {"patchA": boxes[here].get_bbox_patch(), "patchB": boxes[there].get_bbox_patch()}
        axes.annotate("", place[there], place[here], arrowprops={"arrowstyle": "-|>", **style, **ends}, zorder=1)
    figure.savefig(PICTURE, dpi="figure", metadata={"Description": json.dumps(sorted(kept))})


def _ours(path: Path) -> Iterator[tuple[str, ...]]:
    """Dotted names of ours that a file imports, without the package's own name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(PACKAGE):
            for alias in node.names:
                yield tuple(f"{node.module}.{alias.name}".removeprefix(PACKAGE).split("."))


def _box(parts: tuple[str, ...]) -> str:
    if parts[0] != "tasks":
        return parts[0]
    return f"tasks/{parts[1]}" if Path("tasks", parts[1]).is_dir() else STAGES


def _places(kept: set[Arrow]) -> dict[str, tuple[float, float]]:
    """x and y of each box: a row above all that it imports, and near the middle of what imports it."""
    row: dict[str, int] = {}
    for box in ORDER:
        row[box] = 1 + max((row[there] for here, there in kept if here == box and there in row), default=-1)
    rows = defaultdict(list)
    for box in ORDER:
        rows[row[box]].append(box)
    place: dict[str, tuple[float, float]] = {}
    for y in sorted(rows, reverse=True):
        above = {box: [place[here][0] for here, there in kept if there == box and here in place] for box in rows[y]}
        rows[y].sort(key=lambda box: sum(above[box]) / len(above[box]) if above[box] else 0)
        for index, box in enumerate(rows[y]):
            place[box] = (index - (len(rows[y]) - 1) / 2 + (0.28 if y % 2 else -0.28), y)
    return place


def _bend(start: tuple[float, float], end: tuple[float, float]) -> str:
    """Straight to the next row; an arrow that goes farther makes a bow around what is between."""
    if abs(start[1] - end[1]) <= 1:
        return "arc3"
    return f"arc3,rad={0.18 if start[0] >= end[0] else -0.18}"


if __name__ == "__main__":
    draw()
