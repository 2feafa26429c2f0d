"""Chat templates translated for Ollama give the same text as the original."""

import copy
from typing import Any

import pytest

from finetune_flows.tasks.exporting.ollama import CHATS, NotTranslatable, blocks_of
from tests.support.tiny_model import tiny_tokenizer

LLAMA_3 = """{% for m in messages %}{% if loop.first %}{{ bos_token }}{% endif %}
{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"""
MISTRAL = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set before = messages[0]['content'] + '\n\n' %}
{%- set turns = messages[1:] %}{% else %}{% set before = '' %}{% set turns = messages %}{% endif %}{% for m in turns %}
{%- if m['role'] == 'user' %}{{ ' [INST] ' + (before if loop.first else '') + m['content'] + ' [/INST]' }}
{%- else %}{{ ' ' + m['content'] + '</s>' }}{% endif %}{% endfor %}"""
DEFAULT_SYSTEM = """{% if messages[0]['role'] != 'system' %}{{ '<|system|>Be brief.\n' }}{% endif %}{% for m in messages %}
{{- '<|' + m['role'] + '|>' + m['content'] + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"""
BRACES = """{% for m in messages %}{{ '{{' + m['role'] + '}}' + m['content'] + '\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '{{assistant}}' }}{% endif %}"""


def tokenizer_with(template: str) -> Any:
    tokenizer = copy.deepcopy(tiny_tokenizer())
    tokenizer.chat_template, tokenizer.bos_token = template, "<|endoftext|>"
    return tokenizer


@pytest.mark.parametrize("template", [LLAMA_3, MISTRAL, DEFAULT_SYSTEM, BRACES])
def test_the_blocks_give_the_text_of_the_template(template: str) -> None:
    tokenizer = tokenizer_with(template)
    blocks = blocks_of(tokenizer)
    for chat in CHATS:
        assert blocks.render(chat) == tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)


def test_chatml_becomes_a_go_template() -> None:
    assert blocks_of(tiny_tokenizer()).as_go() == (
        "{{ if not .System }}{{ end }}{{ range $i, $m := .Messages }}"
        '{{ if eq $m.Role "system" }}<|im_start|>system\n{{ $m.Content }}<|im_end|>\n<|im_start|>user\n'
        '{{ else if eq $m.Role "user" }}{{ if not (and $.System (eq $i 1)) }}<|im_start|>user\n{{ end }}'
        "{{ $m.Content }}<|im_end|>\n"
        "{{ else }}<|im_start|>assistant\n{{ $m.Content }}<|im_end|>\n{{ end }}{{ end }}<|im_start|>assistant\n"
    )


def test_braces_in_a_template_are_printed_and_not_executed() -> None:
    assert '{{ "{{" }}assistant}}' in blocks_of(tokenizer_with(BRACES)).as_go()


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% for m in messages %}{{ loop.index }}: {{ m['content'] }}\n{% endfor %}", "not made of one block"),
        (
            "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
            "{% for m in messages %}<{{ m['content'] }}>{% endfor %}",
            "no system",
        ),
    ],
)
def test_a_template_that_ollama_cannot_express_is_refused(template: str, why: str) -> None:
    with pytest.raises(NotTranslatable, match=why):
        blocks_of(tokenizer_with(template))
