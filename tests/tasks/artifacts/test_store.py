from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune_flows.tasks.artifacts.store import MANIFEST, Store, verify
from finetune_flows.tasks.base.errors import ArtifactDamaged
from finetune_flows.tasks.base.values import step_key

KEY = "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def write(store: Store, text: str = "hello", key: str = KEY) -> None:
    with store.write("dataset", key) as draft:
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "rows.txt").write_text(text)
        draft.parents.append("parent")


def test_what_was_written_is_found_by_its_key(store: Store) -> None:
    assert store.find("dataset", KEY) is None
    write(store)
    found = store.require("dataset", KEY)
    assert (found.path / "deep/rows.txt").read_text() == "hello"
    assert found.size == 5
    assert found.step_key == KEY


def test_the_digest_is_of_the_content_and_not_of_the_key(store: Store) -> None:
    for key, text in (("1" * 64, "same"), ("2" * 64, "same"), ("3" * 64, "other")):
        write(store, text, key)
    one, two, three = (store.require("dataset", c * 64).digest for c in "123")
    assert one == two != three


def test_a_failed_step_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.write("dataset", KEY) as draft:
            (draft.path / "half").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.find("dataset", KEY) is None
    assert list((store.root / "drafts").iterdir()) == []


@pytest.mark.parametrize("damage", ["change", "same size", "delete file", "add file", "no manifest", "torn manifest"])
def test_a_damaged_artefact_counts_as_absent_and_is_made_again(store: Store, damage: str) -> None:
    write(store)
    reference = store.require("dataset", KEY)
    rows = reference.path / "deep/rows.txt"
    match damage:
        case "change":
            rows.write_text("hello, longer")
        case "same size":
            rows.write_text("jello")
        case "delete file":
            rows.unlink()
        case "add file":
            (reference.path / "extra").write_text("x")
        case "no manifest":
            (reference.path / MANIFEST).unlink()
        case "torn manifest":
            (reference.path / MANIFEST).write_text('{"files": {')
    assert store.find("dataset", KEY) is None
    with pytest.raises(ArtifactDamaged):
        verify(reference)
    write(store)
    assert store.require("dataset", KEY).digest == reference.digest


def test_two_who_write_the_same_artefact_end_with_one(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: write(store), range(24))) == [None] * 24
    assert store.find("dataset", KEY) is not None
    assert len(list((store.root / "dataset").iterdir())) == 1


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
)


@given(settings=st.dictionaries(st.text(), _json), upstream=st.lists(st.text()))
def test_a_step_key_depends_on_content_and_not_on_order_of_keys(
    settings: dict[str, object], upstream: list[str]
) -> None:
    key = step_key("train", 1, settings, upstream)
    assert key == step_key("train", 1, dict(reversed(settings.items())), upstream)
    assert key != step_key("train", 2, settings, upstream)
    assert key != step_key("evaluate", 1, settings, upstream)
    assert key != step_key("train", 1, settings, [*upstream, "more"])
    assert len(key) == 64


def test_an_artefact_that_was_made_again_and_is_another_is_told_from_a_damaged_one(store: Store) -> None:
    write(store)
    before = store.require("dataset", KEY)
    (before.path / "deep/rows.txt").unlink()
    write(store, "another text")
    with pytest.raises(
        ArtifactDamaged, match=f"was made again: its digest is .* now, and no longer {before.digest[:8]}"
    ):
        verify(before)
