"""Refuses grammars that are invalid or too large, before an engine compiles them.

A grammar comes from a client, and its compiler works recursively: rules that refer to one another in a very long chain end the
process that compiles them. So size and depth are limited first, and then a child with little memory and time compiles the
grammar. The engine only sees grammars that the child has survived.
"""

import asyncio
import hashlib
import re
import sys
from collections import OrderedDict
from pathlib import Path

from finetune_flows.containers.serving.engine import BadGrammar, GenerationFailed

MOST_CHARACTERS = 200_000
MOST_RULES = 1_000
DEEPEST = 200  # rules that refer to one another in a chain
SECONDS = 20  # for the child, its start included
KNOWN = 4_096  # grammars whose result is remembered

CHILD = Path(__file__).with_name("grammar_child.py")
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/(?:\\.|[^/\\\n])+/')
RULE = re.compile(r"^[ \t]*[?!]?([A-Za-z_]\w*)[^:\n]*:", re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")


class GrammarCheck:
    """Checks each grammar once. Use it in one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, str] = OrderedDict()  # what is wrong with a grammar, by its digest
        self._children = asyncio.Semaphore(2)

    async def check(self, grammar: str) -> None:
        """Raises BadGrammar: the grammar is invalid, too large, or takes too long to compile.

        Raises GenerationFailed: the compiler does not work here.
        """
        digest = hashlib.sha256(grammar.encode()).digest()
        problem = self._known.get(digest)
        if problem is None:
            refuse_too_large(grammar)
            async with self._children:
                problem = await _compiled_by_a_child(grammar)
            self._known[digest] = problem
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        if problem:
            raise BadGrammar(problem)


def refuse_too_large(grammar: str) -> None:
    """Raises BadGrammar: the text, the number of rules, or the chain of their references is too long."""
    if len(grammar) > MOST_CHARACTERS:
        raise BadGrammar(f"it has {len(grammar)} characters, and may have {MOST_CHARACTERS} at most")
    references = _references(grammar)
    if len(references) > MOST_RULES:
        raise BadGrammar(f"it has {len(references)} rules, and may have {MOST_RULES} at most")
    if (depth := _depth(references)) > DEEPEST:
        raise BadGrammar(f"its rules refer to one another {depth} deep, and may {DEEPEST} at most")


def _references(grammar: str) -> dict[str, list[str]]:
    """The names in each rule, without texts and regular expressions."""
    bare = QUOTED.sub(" ", grammar)
    starts = list(RULE.finditer(bare))
    ends = [match.start() for match in starts[1:]] + [len(bare)]
    return {
        match[1]: NAME.findall(bare, match.end(), end) for match, end in zip(starts, ends, strict=True)
    }  # fmt: skip


def _depth(references: dict[str, list[str]]) -> int:
    """The longest chain of rules in which each refers to the next, as a compiler meets them that visits each rule once."""
    deepest, seen = 0, set[str]()
    for first in references:
        path = [iter([first])]
        while path:
            name = next(path[-1], None)
            if name is None:
                path.pop()
            elif name in references and name not in seen:
                seen.add(name)
                deepest = max(deepest, len(path))
                path.append(iter(references[name]))
    return deepest


async def _compiled_by_a_child(grammar: str) -> str:
    """What is wrong with the grammar, or nothing."""
    # -P, so that the child imports what the server imports, and nothing from the working directory.
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(CHILD), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await child.communicate(grammar.encode())
    except TimeoutError:
        return f"it was not compiled within {SECONDS} s"
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode == 1:
        raise GenerationFailed("the compiler of grammars does not start; is llguidance installed?")
    return output.decode(errors="replace") if child.returncode == 0 else "it is too large or too deep to compile"
