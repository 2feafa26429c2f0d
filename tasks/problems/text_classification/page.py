"""Further results of a classifier, in Markdown: scores by label, the confusion matrix, calibration."""

from collections.abc import Mapping
from typing import Any

from finetune_flows.tasks.base.markdown import plain, table


def details_page(details: Mapping[str, Any]) -> list[str]:
    """Scores by label, the confusion matrix if there is one, and calibration, as lines."""
    lines = ["## By label", "", *_labels(details["by_label"]), ""]
    if "confusion" in details:
        lines += ["## Confusion matrix", "", *_confusion(details["labels"], details["confusion"]), ""]
    majority = details["majority"]
    return [
        *lines,
        f"Expected calibration error: {details['calibration']['ece']:.3f}. Always choosing "
        f"{plain(majority['label'])} would be right for {majority['accuracy']['value']:.1%} of the rows.",
        "",
    ]


def _labels(by_label: dict[str, dict[str, Any]]) -> list[str]:
    rows = [
        [plain(label), str(found["support"]), *(_interval(found[name]) for name in ("precision", "recall", "f1"))]
        for label, found in by_label.items()
    ]
    return table(["label", "rows", "precision", "recall", "F1"], rows)


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _confusion(labels: list[str], rows: list[list[int]]) -> list[str]:
    names = [plain(label) for label in labels]
    return table(["right \\ chosen", *names], [[name, *map(str, row)] for name, row in zip(names, rows, strict=True)])
