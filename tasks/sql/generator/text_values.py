"""Texts: around a constant, for a pattern that they match or just miss, in other case, and by chance."""

import itertools
import random
import re
from functools import lru_cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_WORDS = """
Amber Birch Cedar Delta Ember Fjord Grove Heron Iris Juniper Koala Lotus Maple Nectar Opal Pine Quartz Raven
Sage Thorn Umber Violet Willow Xenon Yarrow Zephyr Acorn Basil Clover Dune Elm Fern Ginger Hazel Ivory Jade Kelp Lilac
Moss Nettle
"""
WORDS = _WORDS.split()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ANY_LENGTH = object()
_ANY_SIGN = object()
_MOST_SIGNS = 100


def texts_around(text: str) -> list[str]:
    """The text, and others that differ by one sign."""
    return [text, text + "x", text[:-1], *([text[1:]] if len(text) > 2 else [])]


def in_other_case(text: str) -> list[str]:
    """The same letters, as LOWER and UPPER would take them for equal."""
    return [other for other in (text.upper(), text.lower(), text.capitalize()) if other != text][:2]


def of_length(length: int) -> str:
    """A text with so many signs."""
    return ("Maple" * (length // 5 + 1))[: max(length, 0)]


def _signs(pattern: str, escape: str) -> list[Any]:
    """A LIKE pattern: signs that stand for themselves, and the two kinds of wildcard."""
    signs: list[Any] = []
    rest = iter(pattern[:_MOST_SIGNS])
    for sign in rest:
        if escape and sign == escape:
            signs.append(next(rest, sign))
        else:
            signs.append({"%": _ANY_LENGTH, "_": _ANY_SIGN}.get(sign, sign))
    return signs


def _filled(signs: list[Any], length: str, sign: str) -> str:
    return "".join(length if s is _ANY_LENGTH else sign if s is _ANY_SIGN else s for s in signs)


def matches_like(text: str, pattern: str, escape: str = "", caseless: bool = True) -> bool:
    """Whether LIKE finds the text."""
    return _like_regexp(pattern, escape, caseless).fullmatch(text) is not None


@lru_cache(256)
def _like_regexp(pattern: str, escape: str, caseless: bool) -> re.Pattern[str]:
    signs = _signs(pattern, escape)
    parts = (".*" if s is _ANY_LENGTH else "." if s is _ANY_SIGN else re.escape(s) for s in signs)
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if caseless else 0))


def texts_around_like(pattern: str, escape: str = "", caseless: bool = True) -> list[str]:
    """Texts that LIKE finds, and some that it just misses: a sign too many or too few, no wildcard where one is meant."""
    signs = _signs(pattern, escape)
    found = [_filled(signs, fill, "q") for fill in ("", "a", " b")]
    bare = found[0]
    if _ANY_SIGN in signs:
        found.append(_filled(signs, "", "_"))
    if any(sign in ("%", "_") for sign in signs):  # escaped: stands for itself
        plain = [sign if sign not in ("%", "_") else "x" for sign in signs]
        found += [_filled(plain, fill, "q") for fill in ("", "a")]
    if not caseless:
        found.append(bare.swapcase())
    return [*found, f"a{bare}", f"{bare}b", f"a{bare}b", bare[:-1], bare[1:]]


def matches_regexp(text: str, pattern: str, caseless: bool = False) -> bool:
    """Whether a regular expression finds something in the text. Python reads most as databases do."""
    try:
        return re.search(pattern[:_MOST_SIGNS], text, re.IGNORECASE if caseless else 0) is not None
    except re.error:
        return False


def texts_around_regexp(pattern: str, caseless: bool = False) -> list[str]:
    """Texts in which a regular expression finds something, and some that it just misses; none if it is not read."""
    try:
        tree = parser.parse(pattern[:_MOST_SIGNS])
    except (re.error, RecursionError, OverflowError):
        return []
    samples = [_sample(tree, choice) for choice in range(3)]
    first = samples[0]
    return [*dict.fromkeys(samples), f"{first}b", f"a{first}", first[:-1], first[1:], first.swapcase()]


def _sample(tree: Any, choice: int) -> str:
    """A text that the parsed expression matches."""
    return "".join(_sample_of(code, argument, choice) for code, argument in tree)


def _sample_of(code: Any, argument: Any, choice: int) -> str:
    if code is codes.LITERAL:
        return chr(argument)
    if code is codes.IN:
        return _member(argument, choice)
    if code in (codes.ANY, codes.NOT_LITERAL):
        return "q"
    if code is codes.SUBPATTERN:
        return _sample(argument[-1], choice)
    if code is codes.BRANCH:
        return _sample(argument[1][choice % len(argument[1])], choice)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
        least, most, inner = argument
        return _sample(inner, choice) * int(min(least + choice, most, least + 2, 30))
    return ""


def _member(members: Any, choice: int) -> str:
    code, argument = members[choice % len(members)]
    if code is codes.LITERAL:
        return chr(argument)
    if code is codes.RANGE:
        return chr(min(argument[0] + choice, argument[1]))
    if code is codes.CATEGORY:
        return {codes.CATEGORY_DIGIT: str(choice + 1), codes.CATEGORY_SPACE: " "}.get(argument, "q")
    return "~"  # of what is not in the set


def words_by_chance(count: int, rng: random.Random, length: int) -> list[str]:
    """Different words of no more than `length` signs; fewer where there are no more."""
    if length < 7:
        codes_of_length = itertools.islice(itertools.product(_LETTERS, repeat=max(length, 1)), 400)
        short = ["".join(signs) for signs in codes_of_length]
        return rng.sample(short, min(count, len(short)))
    words = rng.sample(WORDS, len(WORDS))
    return [words[i % len(words)] + (f" {i}" if i >= len(words) else "") for i in range(count)]


def in_other_forms(words: list[str], functions: set[str], arguments: list[str]) -> list[str]:
    """Words as functions of text tell them apart: in other case, in spaces, with the arguments in them."""
    forms = list(words)
    if functions & {"lower", "upper", "initcap", "ilike", "collate", "length", "substring"}:
        forms = [other for word in forms for other in (word, *in_other_case(word)[:1])]
    if functions & {"trim", "ltrim", "rtrim", "btrim", "length"}:
        forms = [form for i, word in enumerate(forms) for form in (word, (f" {word}", f"{word} ")[i % 2])]
    for argument in arguments[:3]:
        forms = [
            form
            for i, word in enumerate(forms)
            for form in (word, f"{word}{argument}{forms[i - 1]}", f"{argument}{word}{argument}Elm{argument}Fern")[
                : 2 + i % 2
            ]
        ]
    return forms
