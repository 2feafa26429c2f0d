"""Writes rows.jsonl: short made-up reviews with a label. Always the same rows.

    python examples/sentiment/make_rows.py

A review says something of one thing or two. Words alone do not settle it: praise may be denied, a fault may be missing,
and of two sides the one after "but" decides.
"""

import json
import random
from pathlib import Path

ROWS = 300
SEED = 20261122

THINGS = {
    "film": ("The film", "The plot", "The acting", "The ending", "The dialogue", "The first half", "The camera work"),
    "food": ("The soup", "The pasta", "The dessert", "The coffee", "The bread", "The main course", "The wine"),
    "hotel": ("The room", "The bed", "The breakfast", "The view", "The staff", "The shower", "The location"),
    "device": ("The battery", "The screen", "The keyboard", "The sound", "The charger", "The software", "The case"),
    "book": ("The story", "The hero", "The translation", "The last chapter", "The language", "The pace", "The idea"),
}
GOOD = ("excellent", "a real pleasure", "well made", "worth every cent", "better than I hoped", "a joy", "outstanding",
        "charming", "first class", "just right", "impressive", "lovely")  # fmt: skip
BAD = ("disappointing", "a waste of time", "badly made", "overpriced", "worse than I feared", "a chore", "dreadful",
       "tiresome", "second rate", "far too dull", "a mess", "careless")  # fmt: skip
SAID = (
    "{thing} is {words}.",
    "{thing} was {words}!",
    "{thing}, I have to say, is {words}.",
    "I found it all too clear: {low} is {words}.",
)
DENIED = (
    "{thing} is anything but {words}.",
    "Nobody can call {low} {words}.",
    "{thing} is not {words}, whatever they say.",
)
TURNED = ("{first} is {weak}, but {second} is {words}.", "Although {first_low} is {weak}, {second_low} is {words}.")


def main() -> None:
    """Write the file beside this one."""
    drawn = random.Random(SEED)
    rows: dict[str, str] = {}
    while len(rows) < ROWS:
        label = ("negative", "positive")[len(rows) % 2]
        rows.setdefault(review(drawn, label == "positive"), label)
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows.items()]
    Path(__file__).with_name("rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def review(drawn: random.Random, good: bool) -> str:
    """One review."""
    first, second = drawn.sample(drawn.choice(list(THINGS.values())), 2)
    ours, others = (GOOD, BAD) if good else (BAD, GOOD)
    kind = drawn.random()
    if kind < 0.5:
        return said(drawn, SAID, first, drawn.choice(ours))
    if kind < 0.65:
        return said(drawn, DENIED, first, drawn.choice(others))
    if kind < 0.8:
        return f"{said(drawn, SAID, first, drawn.choice(ours))} {said(drawn, SAID, second, drawn.choice(ours))}"
    return drawn.choice(TURNED).format(
        first=first, first_low=low(first), weak=drawn.choice(others), second=low(second), second_low=low(second),
        words=drawn.choice(ours),
    )  # fmt: skip


def said(drawn: random.Random, forms: tuple[str, ...], thing: str, words: str) -> str:
    """One sentence."""
    return drawn.choice(forms).format(thing=thing, low=low(thing), words=words)


def low(thing: str) -> str:
    """As it stands inside a sentence."""
    return thing[0].lower() + thing[1:]


if __name__ == "__main__":
    main()
