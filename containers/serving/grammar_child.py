"""Compiles the grammar on the standard input, and prints what is wrong with it. A process of its own: see grammar_check."""

import resource
import sys
import threading

from llguidance import LLMatcher

TOO_LARGE = 3  # exit status; 1 means that this program itself does not work here
MEMORY = 2 * 2**30  # bytes of address space
PROCESSOR_SECONDS = 10
STACK = 2 * 2**20  # bytes; a quarter of what the engine's threads have, so that what passes here passes there


def main(problems: list[str]) -> None:
    """Add what is wrong, or an empty text. Without a tokenizer, because its size does not matter to the compiler's depth."""
    grammar = sys.stdin.buffer.read().decode()
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    problems.append(LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(grammar)))


if __name__ == "__main__":
    threading.stack_size(STACK)
    problems: list[str] = []
    thread = threading.Thread(target=main, args=(problems,))
    thread.start()
    thread.join()
    if not problems:  # the thread has failed, for example for want of memory
        sys.exit(TOO_LARGE)
    sys.stdout.write(problems[0])
