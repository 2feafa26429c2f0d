"""Recipe files that nobody should have written: each is refused in one message, before anything is made."""

from pathlib import Path

import pytest

from tests.bad_inputs.command import check_refusal, finetune

SOUND = """\
name: tidy
problem: {kind: text-to-sql}
dataset: {source: rows.jsonl}
model: {source: model}
"""
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

# What the file holds, and what is said about it.
FILES: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", "must hold sections"),
    "a comment": ("# nothing\n", "must hold sections"),
    "one word": ("demo", "must hold sections"),
    "a list": ("- name: tidy\n", "must hold sections"),
    "several documents": (SOUND + "---\n" + SOUND, "is not YAML"),
    "an open bracket": ("name: [", "is not YAML"),
    "an open quotation": ('name: "tidy', "is not YAML"),
    "a tab for a space": ("name: tidy\nproblem:\n\tkind: chat\n", "is not YAML"),
    "a NUL byte": (SOUND + "\x00", "is not YAML"),
    "a bell": (SOUND + "# \x07", "is not YAML"),
    "UTF-16": (SOUND.encode("utf-16"), "UTF-8"),
    "Latin-1": (SOUND.encode() + b"# caf\xe9", "UTF-8"),
    "random bytes": (bytes(range(128, 256)) * 20, "UTF-8"),
    "a gzip file": (b"\x1f\x8b\x08\x00" + bytes(50), "UTF-8"),
    "JSON with a comma too many": ('{"name": "tidy",, }', "is not YAML"),
    "deep nesting": ("name: " + "[" * 50_000, "is not YAML"),
    "deep sections": ("name: " + "{a: " * 5_000 + "1" + "}" * 5_000, "is not YAML"),
    "a deep list that ends": (SOUND + "gate: " + "[" * 200 + "]" * 200, "levels deep"),
    "aliases that multiply": (BOMB, "more than"),
    "aliases that multiply in a field": (SOUND + "gate: {scores: {rouge_l: {min_score: *i}}}\n" + BOMB, "is not YAML"),
    "a section inside itself": (SOUND + "gate: &gate {scores: *gate}\n", "inside itself"),
    "a list inside itself": (SOUND + "tuning: &a [*a]\n", "inside itself"),
    "an alias of nothing": ("name: *nothing\n", "is not YAML"),
    "a tag that runs code": ("name: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    "a tag of somebody's": ("name: !secret tidy\n", "is not YAML"),
    "a number that is none": ("name: !!int tidy\n", "is not YAML"),
    "a fraction that is none": ("name: !!float tidy\n", "is not YAML"),
    "a truth that is none": ("name: !!bool tidy\n", "is not YAML"),
    "a time that is none": ("name: !!timestamp tidy\n", "is not YAML"),
    "bytes that are none": ('name: !!binary "@@@"\n', "is not YAML"),
    "an order that is none": ("name: !!omap tidy\n", "is not YAML"),
    "a set that is none": ("name: !!set [a]\n", "is not YAML"),
    "a day that is none": ("name: 2024-13-45\n", "is not YAML"),
    "an hour that is none": ("name: 2024-01-01 29:00:00\n", "is not YAML"),
    "too many digits": (SOUND + f"evaluation: {{rows: {'9' * 5000}}}\n", "is not YAML"),
    "a number that is too large": (SOUND + "evaluation: {rows: 9999999999999999999}\n", "the number is too large"),
    "a list as a key": (SOUND + "? [a, b]\n: c\n", "is not YAML"),
    "a section as a key": (SOUND + "? {a: b}\n: c\n", "is not YAML"),
    "a section that is merged with a word": ("<<: tidy\n" + SOUND, "is not YAML"),
    "a section twice": (SOUND + "model: {source: other}\n", "model is written twice"),
    "a field twice": (SOUND.replace("{source: model}", "{source: model, source: other}"), "source is written twice"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_recipe(name: str, home: Path, project: Path) -> None:
    content, words = FILES[name]
    (project / "recipe.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    check_refusal(finetune("run", "recipe.yaml"), 2, "recipe.yaml:", words)


# What is at the path, and what is said about it.
PATHS = {
    "missing.txt": "there is no such file or folder; `finetune recipes` lists",
    "recipe.yml": "there is no such file or folder; did you mean recipe.yaml?",
    "model": "is a folder",
    "": "is a folder",
    "folder.jsonl/recipe.yaml": "there is no such file",
    "rows.jsonl/recipe.yaml": "there is no such file",
    "pipe.jsonl": "is no file",
    "/dev/zero": "is no file",
    "dangling.jsonl": "it is a link to ",
    "~unknown-user/recipe.yaml": "there is no such file",
    "nul\x00.yaml": "embedded null byte",
    "a" * 500 + ".yaml": "there is no such file",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path[:20]))
def test_a_path_that_leads_to_no_recipe(path: str, home: Path, project: Path) -> None:
    (project / "recipe.yaml").write_text(SOUND, encoding="utf-8")
    check_refusal(finetune("run", path), 2, PATHS[path])


def test_a_file_that_is_far_too_large_is_not_read(home: Path, project: Path) -> None:
    with (project / "recipe.yaml").open("wb") as file:
        file.write(SOUND.encode())
        file.truncate(3 * 2**30)
    check_refusal(finetune("run", "recipe.yaml"), 2, "more than 1,048,576 characters")


def test_a_sound_recipe_with_a_byte_order_mark_is_read(home: Path, project: Path) -> None:
    (project / "recipe.yaml").write_bytes(b"\xef\xbb\xbf" + SOUND.encode())
    check_refusal(finetune("run", "recipe.yaml", "--set", "training.epochs=-1"), 2, "training.epochs: ")
