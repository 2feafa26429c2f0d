"""Model folders that are damaged, incomplete or no models: staging says what is wrong in one line, and leaves nothing.

Staging is the first program that opens a model, which may be anybody's.
"""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetune_flows.training.__main__ import main
from tests.support.tiny_model import build_tiny_model

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("sound"))


def writes(name: str, content: str | bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def removes(*names: str) -> Change:
    return lambda folder: [(folder / name).unlink() for name in names]


def cuts(name: str, to: int) -> Change:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:to])


def sets(name: str, **fields: Any) -> Change:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8")) | fields
        kept = {field: value for field, value in content.items() if value != "(nothing)"}
        (folder / name).write_text(json.dumps(kept), encoding="utf-8")

    return change


def with_header(header: bytes, size: int | None = None) -> bytes:
    """A safetensors file: the size of its header, the header, and no weights."""
    return struct.pack("<Q", len(header) if size is None else size) + header


WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TENSOR = b'{"a": {"dtype": "%s", "shape": [4], "data_offsets": [0, %d]}}'
CHANGES: dict[str, tuple[Change, str]] = {
    "no config": (removes("config.json"), "config.json is missing"),
    "an empty config": (writes("config.json", ""), "config.json"),
    "a config that is no JSON": (writes("config.json", "{"), "config.json"),
    "a config that is a list": (writes("config.json", "[]"), "config.json"),
    "a config that is no text": (writes("config.json", b"\xff\xfe\x00"), "config.json"),
    "a deep config": (writes("config.json", "[" * 100_000), "config.json"),
    "a config of nothing": (writes("config.json", "{}"), "does not know the model"),
    "a family that nobody knows": (sets("config.json", model_type="no-such-family"), "does not know the model"),
    "a family that is no text": (sets("config.json", model_type=["llama"]), "config.json"),
    "layers that are a word": (sets("config.json", num_hidden_layers="many"), "config.json"),
    "heads that do not divide": (sets("config.json", hidden_size=63), "config.json"),
    "less than no layers": (sets("config.json", num_hidden_layers=-1), "config.json"),
    "no weights": (removes(WEIGHTS), "holds no safetensors"),
    "pickled weights only": (lambda folder: (folder / WEIGHTS).rename(folder / "pytorch_model.bin"), "pickled weights"),
    "empty weights": (writes(WEIGHTS, b""), WEIGHTS),
    "weights cut in the header": (cuts(WEIGHTS, 100), WEIGHTS),
    "weights cut in the middle": (cuts(WEIGHTS, 50_000), WEIGHTS),
    "weights with a header of no JSON": (writes(WEIGHTS, with_header(b"{{{{")), WEIGHTS),
    "weights with a header of the largest size": (writes(WEIGHTS, with_header(b"{}", 2**63)), WEIGHTS),
    "weights of an unknown type": (writes(WEIGHTS, with_header(TENSOR % (b"Q7", 16)) + bytes(16)), WEIGHTS),
    "weights that overlap their end": (writes(WEIGHTS, with_header(TENSOR % (b"F32", 999)) + bytes(16)), WEIGHTS),
    "weights without a tensor": (writes(WEIGHTS, with_header(b"{}")), WEIGHTS),
    "whole numbers for weights": (writes(WEIGHTS, with_header(TENSOR % (b"I32", 16)) + bytes(16)), WEIGHTS),
    "weights that are a web page": (writes(WEIGHTS, "<!DOCTYPE html>" * 50), WEIGHTS),
    "weights that are a pointer": (writes(WEIGHTS, "version https://git-lfs.github.com/spec/v1\n"), WEIGHTS),
    "an index of no JSON": (writes(INDEX, "{"), INDEX),
    "an index without names": (writes(INDEX, "{}"), INDEX),
    "an index of files that are missing": (writes(INDEX, '{"weight_map": {"a": "b.safetensors"}}'), "b.safetensors"),
    "an index of files elsewhere": (writes(INDEX, '{"weight_map": {"a": "../../b.safetensors"}}'), INDEX),
    "no tokenizer": (removes("tokenizer.json", "tokenizer_config.json"), "tokenizer"),
    "an empty tokenizer": (writes("tokenizer.json", ""), "tokenizer"),
    "a tokenizer of no JSON": (writes("tokenizer.json", "{"), "tokenizer"),
    "a tokenizer of nothing": (writes("tokenizer.json", "{}"), "tokenizer"),
    "a tokenizer config of no JSON": (writes("tokenizer_config.json", "["), "tokenizer"),
    "a tokenizer class that nobody knows": (sets("tokenizer_config.json", tokenizer_class="NoSuch"), ""),
    "a template that is a list": (sets("tokenizer_config.json", chat_template=[1]), "tokenizer"),
    "an adapter alone": (
        lambda folder: [writes("adapter_config.json", "{}")(folder), removes("config.json", WEIGHTS)(folder)],
        "only an adapter",
    ),
    "an adapter beside the model": (writes("adapter_config.json", "{}"), "beside a model"),
    "an adapter of no JSON": (writes("adapter_config.json", "{"), "adapter_config.json"),
}
SOUND_ALL_THE_SAME = {"a tokenizer class that nobody knows", "a template that is a list"}  # other files decide


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_folder_that_is_none(name: str, sound: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sound, tmp_path / "model")
    change, words = CHANGES[name]
    change(tmp_path / "model")
    code = main(["stage", "--source", str(tmp_path / "model"), "--output", str(tmp_path / "staged")])
    if name in SOUND_ALL_THE_SAME:
        assert code == 0
        return
    said = capfd.readouterr().err.strip()
    assert code == 1
    assert words in said
    assert len(said.splitlines()) == 1, said
    assert len(said) < 1500
    assert not (tmp_path / "staged").exists()


# What is at the path of a model that should be a GGUF file.
GGUF: dict[str, bytes] = {
    "empty": b"",
    "of words": b"no model at all",
    "of zeros": bytes(1000),
    "of an unknown version": b"GGUF" + struct.pack("<IQQ", 99, 1, 1),
    "cut in its facts": b"GGUF" + struct.pack("<IQQ", 3, 1, 5),
    "of endless facts": b"GGUF" + struct.pack("<IQQ", 3, 0, 2**62),
    "with a name of the largest size": b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**62),
    "without facts": b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(64),
}


@pytest.mark.parametrize("name", GGUF)
def test_a_gguf_file_that_is_none(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.gguf").write_bytes(GGUF[name])
    code = main(["stage", "--source", str(tmp_path / "model.gguf"), "--output", str(tmp_path / "staged")])
    said = capfd.readouterr().err.strip()
    assert code == 1
    assert "model.gguf" in said
    assert len(said.splitlines()) == 1, said
    assert not (tmp_path / "staged").exists()


def test_a_template_that_is_no_text_or_not_there(
    sound: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.jinja").write_bytes(b"caf\xe9")
    for template in (tmp_path / "latin.jinja", tmp_path, tmp_path / "nowhere"):
        arguments = ["--source", str(sound), "--output", str(tmp_path / "staged"), "--chat-template", str(template)]
        assert main(["stage", *arguments]) == 1
        assert len(capfd.readouterr().err.strip().splitlines()) == 1
        assert not (tmp_path / "staged").exists()
