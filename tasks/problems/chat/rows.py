"""The conversation of a row: its turns in order, up to the last answer that the model may learn."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from finetune_flows.tasks.problems.chat.forms import read_form
from finetune_flows.tasks.problems.chat.tools import written
from finetune_flows.tasks.problems.chat.turns import Turn
from finetune_flows.tasks.problems.example import BadRow, Reason, text_reasons


class Reading(NamedTuple):
    """The choices of the recipe; see the fields of `Chat`."""

    system: str | None = None
    train_on: Literal["last", "all"] = "last"
    consecutive: Literal["refuse", "merge"] = "refuse"
    reasoning: Literal["leave_out", "keep"] = "leave_out"


class Conversation(NamedTuple):
    """An optional system message, then turns of user, assistant and tools. The last is the answer to learn."""

    turns: list[Turn]
    tools: tuple[dict[str, Any], ...]
    unused: tuple[str, ...]


def conversation_of(row: Mapping[str, object], reading: Reading) -> Conversation:
    """The conversation of a row. Of each turn, `learnt` says whether the model learns it.

    Raises:
        BadRow: the row has no known form, a message is malformed, the turns are out of order, or nothing may be learnt.
    """
    turns, tools, unused = read_form(row)
    turns = [turn for turn in turns if turn.role != "system" or turn.content]
    if reading.consecutive == "merge":
        turns = _merged(turns)
    if reading.system and turns[:1] and turns[0].role != "system":
        turns = [Turn("system", reading.system), *turns]
    _check_order(turns)
    turns = _with_ids(_up_to_the_answer(turns, reading, unused))
    # Of earlier turns always: the clients of a server do not send it, so the model must not count on it.
    left_out = turns if reading.reasoning == "leave_out" else turns[:-1]
    if any(turn.reasoning for turn in left_out):
        unused.add("reasoning of messages")
    turns = [replace(turn, reasoning="") if turn in left_out else turn for turn in turns]
    return Conversation(turns, tools, tuple(sorted(unused)))


def _with_ids(turns: list[Turn]) -> list[Turn]:
    """The turns with an id for each call and its result: servers ask for them. Nine digits, as Mistral's templates need."""
    number = 0
    open_calls: list[str] = []
    done = []
    for turn in turns:
        calls = []
        for call in turn.calls:
            number += 1
            calls.append({"id": f"{number:09d}", **call})
        result = dict(turn.result)
        if turn.role == "tool" and open_calls:
            answered = result.setdefault("tool_call_id", open_calls[0])
            if answered not in open_calls:
                raise BadRow(
                    [Reason("turns out of order", f"a result for the call {answered}, which is not open"[:200])]
                )
            open_calls = [id_ for id_ in open_calls if id_ != answered]
        open_calls += [call["id"] for call in calls]
        done.append(replace(turn, calls=tuple(calls), result=tuple(result.items())))
    return done


def _up_to_the_answer(turns: list[Turn], reading: Reading, unused: set[str]) -> list[Turn]:
    """The turns up to the last answer that may be learnt. With train_on: last, it is the only one that is."""
    permitted = [place for place, turn in enumerate(turns) if turn.role == "assistant" and turn.learnt is not False]
    if not permitted:
        raise BadRow([Reason("no answer to learn", "every answer of the row has weight 0")])
    last = permitted[-1]
    if last < len(turns) - 1:
        unused.add("turns after the last answer to learn")
    if reading.train_on == "last" and any(turns[place].learnt for place in permitted[:-1]):
        unused.add("weight 1 of earlier answers")
    learnt = {*permitted} if reading.train_on == "all" else {last}
    return [replace(turn, learnt=place in learnt) for place, turn in enumerate(turns[: last + 1])]


def text_problems(conversation: Conversation, special_tokens: Collection[str]) -> list[Reason]:
    """The reasons against the texts of a conversation: blank, too long, or with tokens of the chat template."""
    reasons = []
    for place, turn in enumerate(conversation.turns):
        name = f"message {place}"
        if not turn.content and not turn.calls and turn.role != "tool":
            reasons.append(Reason("empty", name))
        for text in (turn.content, turn.reasoning, written(list(turn.calls)), *dict(turn.result).values()):
            reasons += text_reasons(name, text, special_tokens)
    return reasons + text_reasons("tools", repr(conversation.tools) if conversation.tools else "", special_tokens)


def _merged(turns: list[Turn]) -> list[Turn]:
    """Neighbours of one role as one turn. Results of tools stay apart, as each answers a call of its own."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1].role == turn.role != "tool":
            merged[-1] = _joined(merged[-1], turn)
        else:
            merged.append(turn)
    return merged


def _joined(first: Turn, second: Turn) -> Turn:
    if first.learnt != second.learnt:
        raise BadRow([Reason("turns out of order", f"two turns of the {first.role} in a row, with different weights")])
    joined: Callable[[str, str], str] = lambda one, other: "\n\n".join(filter(None, (one, other)))  # noqa: E731
    return replace(
        first,
        content=joined(first.content, second.content),
        reasoning=joined(first.reasoning, second.reasoning),
        calls=first.calls + second.calls,
    )


def _check_order(turns: list[Turn]) -> None:
    """User and assistant alternate, the assistant last; between a call and the answer come the results of tools."""
    said = turns[1:] if turns and turns[0].role == "system" else turns
    kinds = ["call" if turn.calls else turn.role for turn in said]
    after = {
        "user": {"assistant", "call"},
        "assistant": {"user"},
        "call": {"tool"},
        "tool": {"tool", "assistant", "call"},
    }
    in_order = all(later in after.get(kind, ()) for kind, later in pairwise(kinds))
    if not in_order or kinds[:1] != ["user"] or kinds[-1] not in ("assistant", "call"):
        raise BadRow([Reason("turns out of order", " ".join(turn.role for turn in turns)[:200])])
