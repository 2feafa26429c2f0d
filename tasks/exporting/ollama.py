"""A Modelfile for Ollama, with the model's chat template translated from Jinja to Go's template language."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_flows.tasks.exporting.subject import Subject
from finetune_flows.tasks.problems.example import Message

SYSTEM = {"role": "system", "content": "«the system»"}
QUESTION = {"role": "user", "content": "«a question»"}
ANSWER = {"role": "assistant", "content": "«an answer»"}
NEXT = {"role": "user", "content": "«another question»"}
CHATS = ([QUESTION], [SYSTEM, QUESTION], [QUESTION, ANSWER, NEXT], [SYSTEM, QUESTION, ANSWER, NEXT])
"""The chats in which a translated template must give the same text as the original."""


class NotTranslatable(ValueError):
    """A chat template that is not made of one block for each message."""


@dataclass(frozen=True)
class Blocks:
    """A chat template as the texts around each message."""

    start: str
    """Before the first question of a chat without a system message."""
    before_system: str
    after_system: str
    """Between the system message and the first question."""
    before_question: str
    after_question: str
    before_answer: str
    after_answer: str
    opening: str
    """After the last message: the answer begins here."""

    def render(self, chat: Sequence[Message]) -> str:
        """The text of a chat that ends with a question."""
        parts = [] if chat[0]["role"] == "system" else [self.start]
        for number, message in enumerate(chat):
            before, after = {
                "system": (self.before_system, self.after_system),
                "user": (self.before_question, self.after_question),
                "assistant": (self.before_answer, self.after_answer),
            }[message["role"]]
            follows_system = number == 1 and chat[0]["role"] == "system"
            parts += ["" if follows_system else before, message["content"], after]
        return "".join([*parts, self.opening])

    def as_go(self) -> str:
        """The same in Go's template language, for Ollama."""
        start, before_system, after_system, before_question, after_question, before_answer, after_answer, opening = map(
            _literal, (self.start, self.before_system, self.after_system, self.before_question, self.after_question,
                       self.before_answer, self.after_answer, self.opening)
        )  # fmt: skip
        return (
            f"{{{{ if not .System }}}}{start}{{{{ end }}}}{{{{ range $i, $m := .Messages }}}}"
            f'{{{{ if eq $m.Role "system" }}}}{before_system}{{{{ $m.Content }}}}{after_system}'
            f'{{{{ else if eq $m.Role "user" }}}}'
            f"{{{{ if not (and $.System (eq $i 1)) }}}}{before_question}{{{{ end }}}}{{{{ $m.Content }}}}{after_question}"
            f"{{{{ else }}}}{before_answer}{{{{ $m.Content }}}}{after_answer}{{{{ end }}}}{{{{ end }}}}{opening}"
        )


def write_modelfile(file: Path, model: str, subject: Subject) -> None:
    """Writes the Modelfile `file` for the GGUF file `model` in the same folder.

    Raises:
        NotTranslatable: Ollama cannot express the chat template of `subject`.
    """
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer: Any = AutoTokenizer.from_pretrained(subject.weights)
    ends = GenerationConfig.from_pretrained(subject.weights).eos_token_id
    stops = tokenizer.convert_ids_to_tokens(ends if isinstance(ends, list) else [ends])
    lines = [f"FROM ./{model}", f'TEMPLATE """{blocks_of(tokenizer).as_go()}"""']
    lines += [f"PARAMETER stop {json.dumps(stop, ensure_ascii=False)}" for stop in stops]
    if subject.recipe:
        lines.append(f"PARAMETER num_ctx {subject.recipe.serving.max_model_length}")
    lines.append("PARAMETER temperature 0")  # the scores are those of greedy answers
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def blocks_of(tokenizer: Any) -> Blocks:
    """The blocks of the tokenizer's chat template. Raises NotTranslatable when it has other forms than one for each message."""
    from jinja2 import TemplateError

    # Ollama adds the BOS token where the tokenizer does, so the template must not add it again.
    bos = tokenizer.bos_token if tokenizer.bos_token_id in tokenizer("a").input_ids else None

    def render(chat: Sequence[Message], opening: bool = True) -> str:
        text: str = tokenizer.apply_chat_template(list(chat), tokenize=False, add_generation_prompt=opening)
        return text.removeprefix(bos) if bos else text

    try:
        blocks = _guess(render([QUESTION, ANSWER, NEXT], False), render([SYSTEM, QUESTION]), render([QUESTION], False),
                        render([QUESTION]))  # fmt: skip
        differing = [chat for chat in CHATS if blocks.render(chat) != render(chat)]
    except (TemplateError, ValueError) as error:
        raise NotTranslatable(f"its chat template refuses a message that Ollama sends: {error}") from error
    if differing or '"""' in blocks.as_go():
        raise NotTranslatable("its chat template is not made of one block for each message")
    return blocks


def _guess(chat: str, with_system: str, question: str, opened: str) -> Blocks:
    """The blocks that explain these texts, if blocks do. Raises ValueError when a message is missing from its text."""
    start, rest = chat.split(QUESTION["content"])
    to_answer, rest = rest.split(ANSWER["content"])
    to_next, after_question = rest.split(NEXT["content"])
    before_system, rest = with_system.split(SYSTEM["content"])
    after_system, _ = rest.split(QUESTION["content"])
    # An answer usually ends as a question does. Otherwise, what both questions have before them belongs to a question.
    before_question = to_next.removeprefix(after_question)
    if not start.endswith(before_question):
        before_question = _common_end(start, to_next)
    return Blocks(
        start=start.removesuffix(before_question),
        before_system=before_system,
        after_system=after_system,
        before_question=before_question,
        after_question=after_question,
        before_answer=to_answer.removeprefix(after_question),
        after_answer=to_next.removesuffix(before_question),
        opening=opened.removeprefix(question),
    )


def _common_end(a: str, b: str) -> str:
    """The longest text that both end with."""
    return next(a[start:] for start in range(len(a) + 1) if b.endswith(a[start:]))


def _literal(text: str) -> str:
    """Text that Go's template language prints as it is."""
    return text.replace("{{", '{{ "{{" }}')
