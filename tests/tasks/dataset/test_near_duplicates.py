"""Near duplicates: found by sketches, as the sets of characters themselves would say."""

import json
import random
from pathlib import Path

import pytest

from finetune_flows.tasks.dataset.audit import DatasetAudit
from finetune_flows.tasks.dataset.build import build_dataset
from finetune_flows.tasks.dataset.near import CHARACTERS, similarity, sketch
from finetune_flows.tasks.recipe import DatasetSection, TextClassification

WORDS = [
    "the",
    "film",
    "was",
    "slow",
    "but",
    "its",
    "end",
    "made",
    "up",
    "for",
    "all",
    "that",
    "came",
    "before",
    "and",
    "nobody",
    "in",
    "the",
    "room",
    "spoke",
    "for",
    "a",
    "while",
]


def sentence(drawn: random.Random, length: int = 20) -> list[str]:
    return [drawn.choice(WORDS) + drawn.choice(["", "s", "ly", "ing"]) for _ in range(length)]


def jaccard(one: str, other: str) -> float:
    first, second = ({text[at : at + CHARACTERS] for at in range(len(text) - CHARACTERS + 1)} for text in (one, other))
    return len(first & second) / len(first | second)


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text, "label": at % 2}) + "\n" for at, text in enumerate(texts)))
    return path


def build(source: Path, out: Path, **settings: object) -> DatasetAudit:
    section = DatasetSection.model_validate({"source": str(source), **settings})
    return build_dataset(section, TextClassification(), None, out)


def test_sketches_estimate_the_similarity_of_the_sets() -> None:
    drawn = random.Random(2)
    errors = []
    for _ in range(200):
        words = sentence(drawn)
        other = [word if drawn.random() > 0.1 else drawn.choice(WORDS) for word in words]
        one, two = " ".join(words), " ".join(other)
        errors.append(abs(similarity(sketch(one), sketch(two)) - jaccard(one, two)))
    assert sum(errors) / len(errors) < 0.04
    assert max(errors) < 0.2


@pytest.fixture
def texts() -> list[str]:
    """60 sentences; of every third there is another that lacks its last word."""
    drawn = random.Random(5)
    originals = [sentence(drawn, 24) for _ in range(60)]
    return [" ".join(words) for words in originals] + [" ".join(words[:-1]) for words in originals[::3]]


def test_of_rows_that_are_nearly_the_same_one_stays_whatever_their_order(texts: list[str], tmp_path: Path) -> None:
    audit = build(write(tmp_path / "a.jsonl", texts), tmp_path / "a", near_duplicates=0.8)
    assert (audit.rows, audit.near_duplicates, audit.usable) == (80, 20, 60)
    assert build(tmp_path / "a.jsonl", tmp_path / "off").near_duplicates == 0
    losers = [json.loads(line) for line in (tmp_path / "a" / "quarantine.jsonl").read_text().splitlines()]
    assert len([each for each in losers if "near duplicate" in json.dumps(each)]) == 20

    rows = (tmp_path / "a.jsonl").read_text().splitlines(keepends=True)
    random.Random(1).shuffle(rows)
    (tmp_path / "b.jsonl").write_text("".join(rows))
    build(tmp_path / "b.jsonl", tmp_path / "b", near_duplicates=0.8)
    assert (tmp_path / "a" / "train.parquet").read_bytes() == (tmp_path / "b" / "train.parquet").read_bytes()


def test_training_rows_near_a_given_test_row_go_and_the_test_stays_whole(texts: list[str], tmp_path: Path) -> None:
    source, test = (
        write(tmp_path / "rows.jsonl", texts[:60]),
        write(tmp_path / "test.jsonl", [*texts[60:], texts[60] + "!"]),
    )
    audit = build(source, tmp_path / "out", test_source=str(test), near_duplicates=0.8)
    assert audit.splits["test"] == 21
    assert audit.near_duplicates == 20
    assert audit.splits["train"] + audit.splits["validation"] == 40
