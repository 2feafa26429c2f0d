"""The results of one look at endpoints, as Markdown."""

from finetune_flows.tasks.base.markdown import code, plain, table
from finetune_flows.tasks.monitoring.window import Window

_HEAD = ("endpoint", "since (UTC)", "requests", "errors", "p50", "p95", "p99", "tokens/s", "waiting", "use")
_PROMPTS = ("endpoint", "distinct prompts", "length (KS distance)", "words (area under ROC)", "distinctive words")


def monitoring_card(recipe: str, windows: list[Window], broken: dict[str, list[str]]) -> str:
    """Every endpoint of the recipe, and its broken limits. `broken`: sentences by endpoint."""
    if not windows:
        return f"# {recipe}: no endpoint is running\n"
    lines = [f"# {recipe}: {'a limit is broken' if broken else 'within its limits'}", ""]
    lines += [
        f"- {code(endpoint)}: {plain(sentence)}" for endpoint, sentences in broken.items() for sentence in sentences
    ]
    return "\n".join([*lines, "", *table(_HEAD, map(_row, windows)), "", *_prompts(windows)])


def _prompts(windows: list[Window]) -> list[str]:
    """A table of the drift of prompts; nothing if no prompts are captured."""
    seen = [(window.endpoint, window.drift) for window in windows if window.drift]
    rows = [
        (
            endpoint,
            f"{drift.prompts:,}",
            f"{drift.length:.2f}",
            "" if drift.vocabulary is None else f"{drift.vocabulary:.2f}",
            " ".join(map(code, drift.words)),
        )
        for endpoint, drift in seen
    ]
    return [*table(_PROMPTS, rows), ""] if rows else []


def _row(window: Window) -> list[str]:
    since = f"{window.since:%m-%d %H:%M}"
    if window.problem:
        return [window.endpoint, since, plain(window.problem), *[""] * 7]
    latencies = map(_seconds, (window.p50, window.p95, window.p99))
    speed = "" if window.tokens_per_second is None else f"{window.tokens_per_second:.1f}"
    waiting = "" if window.waiting is None else f"{window.waiting:.0f}"
    use = ", ".join(f"{name.replace('_', ' ')} {percent:.0f} %" for name, percent in window.use.items())
    return [window.endpoint, since, f"{window.requests:,}", f"{window.errors:,}", *latencies, speed, waiting, use]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3g} s"
