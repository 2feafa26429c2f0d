"""StopScanner and AnswerText: what may be shown, and when."""

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models

from finetune_flows.containers.serving.text import AnswerText, StopScanner
from tests.support.tiny_model import tiny_tokenizer

# Few letters, so that stop strings do occur, overlap and begin in vain.
texts = st.text(alphabet="ab\n", max_size=40)
stop_lists = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=5), max_size=3)


def cut(text: str, stops: list[str]) -> str:
    """The text before the stop string that is complete first, by the plainest means: letter by letter."""
    for end in range(len(text) + 1):
        if ends := [stop for stop in stops if text[:end].endswith(stop)]:
            return text[: end - max(map(len, ends))]
    return text


def split(text: str, places: list[int]) -> list[str]:
    bounds = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(bounds)]


@given(texts, stop_lists, st.lists(st.integers(min_value=0), max_size=20))
def test_however_the_text_is_split_only_what_precedes_a_stop_string_is_shown(text, stops, places):
    scanner, shown = StopScanner(stops), ""
    for part in split(text, places):
        shown += scanner.feed(part)
        assert cut(text, stops).startswith(shown)  # never a letter too many, at any time
        if scanner.found:
            break
    else:
        shown += scanner.flush()
    assert shown == cut(text, stops)
    assert scanner.found == (shown != text)


@given(texts, stop_lists)
def test_no_more_is_held_back_than_could_still_become_a_stop_string(text, stops):
    scanner = StopScanner(stops)
    shown = scanner.feed(text)
    if not scanner.found:
        held = text[len(shown) :]
        assert held == "" or any(stop.startswith(held) for stop in stops)


def byte_fallback_tokenizer() -> Tokenizer:
    """As Llama 2 and Gemma have it: words with a marked space, and single bytes for everything else."""
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁hello", "▁", "a", "▁schön", "ß"]
    tokenizer = Tokenizer(models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def test_the_pieces_are_the_decoded_text_whatever_the_model_says():
    tokenizer, chance = tiny_tokenizer().backend_tokenizer, random.Random(0)
    for _ in range(500):
        tokens = [chance.randrange(tokenizer.get_vocab_size()) for _ in range(chance.randrange(1, 30))]
        assert pieces_of(tokenizer, tokens) == tokenizer.decode(tokens, skip_special_tokens=True)


def test_the_pieces_are_the_decoded_text_with_byte_fallback():
    tokenizer, chance = byte_fallback_tokenizer(), random.Random(0)
    for _ in range(500):
        text = "".join(chance.choices("a▁ßü東🚢", k=chance.randrange(1, 12)))
        tokens = tokenizer.encode(text).ids
        assert pieces_of(tokenizer, tokens) == tokenizer.decode(tokens, skip_special_tokens=True)
        cut = pieces_of(tokenizer, tokens[: chance.randrange(1, len(tokens))] if len(tokens) > 1 else tokens)
        assert (
            text.replace("▁", " ").lstrip().startswith(cut.rstrip("�").lstrip())
        )  # whole characters, then nothing else


def test_bytes_that_are_no_text_do_not_end_an_answer():
    tokenizer, chance = byte_fallback_tokenizer(), random.Random(0)
    for _ in range(200):
        pieces_of(tokenizer, [chance.randrange(1, 257) for _ in range(chance.randrange(1, 30))])


def pieces_of(tokenizer: Tokenizer, tokens: list[int]) -> str:
    answer = AnswerText(tokenizer)
    return "".join([*(answer.add(token) for token in tokens), answer.finish()])


def test_a_character_of_several_tokens_appears_when_it_is_whole():
    tokenizer = tiny_tokenizer()
    text = "Zürich 東京 🚢"
    tokens = tokenizer(text).input_ids
    answer = AnswerText(tokenizer.backend_tokenizer)
    pieces = [answer.add(token) for token in tokens]
    assert len(tokens) > len(text)  # otherwise no character was split
    assert not any("�" in piece for piece in pieces)
    assert "".join(pieces) == text


def test_a_stop_string_is_found_across_tokens_and_characters():
    tokenizer = tiny_tokenizer()
    answer = AnswerText(tokenizer.backend_tokenizer, stops=["東京"])
    shown = ""
    for token in tokenizer("Zürich 東京 🚢").input_ids:
        shown += answer.add(token)
        if answer.stopped:
            break
    assert answer.stopped
    assert shown == "Zürich "
