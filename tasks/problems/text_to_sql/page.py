"""The part of a report that is about SQL."""

from collections.abc import Mapping


def how_judged(engines: Mapping[str, int]) -> str:
    """In which engines the queries ran. `engines`: rows by engine; one that replaces another says "translated from"."""
    if not engines:
        return ""
    named = "Queries ran in " + ", ".join(f"{engine} ({rows:,} rows)" for engine, rows in engines.items()) + "."
    translated = sum(rows for engine, rows in engines.items() if "translated from" in engine)
    if not translated:
        return named
    return (
        f"{translated:,} of {sum(engines.values()):,} rows were judged by translation to SQLite, because the dialect's own "
        "engine is missing or refuses their schema: what SQLite may read otherwise counts as not evaluable. The "
        f"command finetune doctor says what to install. {named}"
    )
