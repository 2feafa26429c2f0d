"""Wrong answers for a person to read: the question, the differences and, for code, what both answers return."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads Python's own only from 3.12

from finetune_flows.tasks.base.markdown import block, code, plain, table
from finetune_flows.tasks.base.values import Frozen


class Difference(TypedDict):
    """One difference between an answer and the right one. `gold` and `prediction`: the parts, empty if one has none."""

    kind: str
    gold: str
    prediction: str


class Telling(TypedDict):
    """Rows that the right query and the answer return on a database where they differ, as lines, differing rows first."""

    database: int
    gold: list[str]
    gold_rows: int
    prediction: list[str]
    prediction_rows: int
    error: str | None


class WrongAnswer(Frozen):
    """One line of wrong_answers.jsonl. Only some problems fill the fields after `kind`."""

    id: str
    question: str
    gold: str
    answer: str
    prediction: str
    kind: str
    language: str = Field("", description="sql if the answer is SQL, else empty.")
    context: str = ""
    error: str | None = None
    differences: Sequence[Difference] = Field(default_factory=list)
    telling: Telling | None = None


def wrong_answers_page(wrong: Sequence[WrongAnswer], judged: int, most: int | None = None) -> str:
    """Markdown of the first `most` wrong answers (default: all). `judged`: the number of judged answers."""
    shown = wrong[:most]
    lines = [f"# Wrong answers: {len(wrong):,} of {judged:,}", ""]
    if not wrong:
        return "\n".join([*lines, "None.", ""])
    counts = Counter(answer.kind for answer in wrong).most_common()
    lines += [*table(["what is wrong", "answers"], [(plain(kind), str(count)) for kind, count in counts]), ""]
    if len(shown) < len(wrong):
        lines += [f"This page shows the first {len(shown)}. wrong_answers.md, next to the scores, has all.", ""]
    for number, answer in enumerate(shown, start=1):
        lines += _section(number, answer)
    return "\n".join(lines)


def _section(number: int, answer: WrongAnswer) -> Iterator[str]:
    yield from (f"## {number}. {plain(answer.kind)}", "", f"**Question** {plain(answer.question)}", "")
    if answer.context:
        yield from ("Schema", "", block(answer.context.replace("; ", ";\n"), answer.language), "")
    yield from ("Right query" if answer.language else "Right answer", "", block(answer.gold, answer.language), "")
    yield from ("Answer", "", block(answer.prediction, answer.language) if answer.prediction.strip() else "(empty)", "")
    if answer.differences:
        yield from ("What differs", "", *(f"- {_words(difference)}" for difference in answer.differences), "")
    if answer.error:
        yield from (f"The answer does not run: {code(answer.error)}", "")
    if answer.telling:
        yield from _returned(answer.telling)


def _words(difference: Difference) -> str:
    gold, prediction = code(difference["gold"]), code(difference["prediction"])
    if gold and prediction:
        return f"{difference['kind']}: {prediction} should be {gold}"
    if not gold and not prediction:
        return difference["kind"]
    return (
        f"{difference['kind']}: {gold} is missing"
        if gold
        else f"{difference['kind']}: {prediction} should not be there"
    )


def _returned(telling: Telling) -> Iterator[str]:
    yield from (f"Rows on generated database {telling['database']}, those that only one of the two returns first", "")
    head = [f"right query: {_count(telling['gold_rows'])}", f"answer: {_count(telling['prediction_rows'])}"]
    sides = ([code(row) for row in telling[side]] for side in ("gold", "prediction"))
    yield from table(head, zip_longest(*sides, fillvalue=""))
    if telling["error"]:
        yield from ("", f"The answer fails on this database: {code(telling['error'])}")
    yield ""


def _count(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"
