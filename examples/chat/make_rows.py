"""Writes rows.jsonl: made-up messages to a bicycle shop and the ticket that each becomes. Always the same rows.

    python examples/chat/make_rows.py

The answer has one right form, so `exact_match` is a fair score. In a third of the rows the customer gives the order
number only when asked, so the conversation has four turns.
"""

import json
import random
from pathlib import Path

ROWS = 400
SEED = 20261128

QUEUES = {
    "delivery": (
        "my parcel has not arrived",
        "the courier left the box at the wrong house",
        "the tracking page has shown the same town for days",
        "half of what I paid for is not in the parcel",
    ),
    "repair": (
        "the rear brake squeals",
        "the gears skip on every hill",
        "the front wheel wobbles",
        "the battery no longer charges",
    ),
    "billing": (
        "I was charged twice",
        "the invoice shows the wrong address",
        "the discount is missing on the invoice",
        "my refund has not reached my account",
    ),
    "advice": (
        "I do not know which tyre fits",
        "I would like to know the right frame size",
        "I cannot decide between the two helmets",
        "I wonder how often the chain needs oil",
    ),
}
URGENT = ("I need it by tomorrow.", "This is urgent!", "Please answer today.", "I leave on a tour this evening.")
CALM = ("There is no hurry.", "Whenever you have time.", "Thank you in advance.", "Kind regards.")
GREETINGS = ("Hello,", "Good morning,", "Hi there,", "Dear team,")


def main() -> None:
    """Write the file next to this one."""
    drawn = random.Random(SEED)
    rows: dict[str, None] = {}
    while len(rows) < ROWS:
        rows.setdefault(json.dumps({"messages": conversation(drawn)}))
    Path(__file__).with_name("rows.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


def conversation(drawn: random.Random) -> list[dict[str, str]]:
    """One conversation that ends with the ticket."""
    queue = drawn.choice(list(QUEUES))
    urgent = drawn.random() < 0.5
    order = str(drawn.randint(1000, 9999))
    wish = drawn.choice(URGENT if urgent else CALM)
    opening = f"{drawn.choice(GREETINGS)} {drawn.choice(QUEUES[queue])}."
    ticket = f"queue: {queue}; order: {order}; urgent: {'yes' if urgent else 'no'}"
    if drawn.random() < 1 / 3:
        turns = [f"{opening} {wish}", "What is your order number?", f"It is {order}.", ticket]
    else:
        turns = [f"{opening} Order {order}. {wish}", ticket]
    return [{"role": ("user", "assistant")[place % 2], "content": turn} for place, turn in enumerate(turns)]


if __name__ == "__main__":
    main()
