#!/usr/bin/env bash
# llguidance 1.9.1: a text in a grammar that the tokenizer has as an added token cannot be matched by that token.
#
# Tokenizers such as Qwen's add "<tool_call>" as a token that is not special, so one expects that a grammar may write it as
# text. The mask then permits exactly that token. But once it is consumed, the matcher is in an error for good ("token doesn't
# satisfy the grammar; forced bytes: got '<'"), so that no answer can ever begin. The grammar has to name the token by its
# number: <[256]>. This is so for added tokens of both kinds, special or not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet llguidance==1.9.1 tokenizers==0.23.3 numpy
cat >"$folder/look.py" <<'PYTHON'
"""Prints, for both ways to write the token, what the mask permits and how the matcher is after that token."""
import sys

from llguidance import LLMatcher, LLTokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_tokens([AddedToken("<tool_call>", special=False)])
tokenizer.add_special_tokens([AddedToken("<end>", special=True)])
token = tokenizer.token_to_id("<tool_call>")
known = LLTokenizer(tokenizer.to_str(), eos_token=tokenizer.token_to_id("<end>"))

failed = []
for grammar in ('start: "<tool_call>" "x"', f'start: <[{token}]> "x"'):
    matcher = LLMatcher(known, LLMatcher.grammar_from_lark(grammar), log_level=0)
    mask = matcher.compute_logit_bias()
    permitted = [tokenizer.id_to_token(at) for at in range(len(mask)) if mask[at]]
    matcher.consume_token(token)
    matcher.compute_logit_bias()
    failed.append(matcher.is_error())
    print(f"{grammar:26} permits {permitted}; after it: {matcher.get_error().splitlines()[0] if failed[-1] else 'fine'}")
sys.exit(0 if failed == [True, False] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/look.py"
