"""What is refused before anything is written, and which models can be named."""

from pathlib import Path

import pytest

from finetune_flows.tasks.base.errors import EnvironmentProblem, RegistryError
from finetune_flows.tasks.exporting.export import export
from finetune_flows.tasks.exporting.subject import Subject, find_subject


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def model(folder: Path, architecture: str = "LlamaForCausalLM") -> Subject:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(f'{{"architectures": ["{architecture}"]}}', encoding="utf-8")
    return find_subject(str(folder))


def attempt(subject: Subject, folder: Path, number_type: str = "q8_0") -> None:
    export(subject, "gguf", number_type, folder, 0, lambda done, total: None)


def test_the_folder_of_an_artefact_holds_its_model_below(tmp_path: Path) -> None:
    model(tmp_path / "artefact" / "model")
    assert find_subject(str(tmp_path / "artefact")).weights == tmp_path / "artefact" / "model"


def test_a_model_that_was_left_unmerged_is_refused(tmp_path: Path) -> None:
    (tmp_path / "artefact" / "adapter").mkdir(parents=True)
    with pytest.raises(RegistryError, match=r"only its adapter was kept.*training\.merge"):
        find_subject(str(tmp_path / "artefact"))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(RegistryError, match="neither a recipe with a judged model"):
        find_subject("ships")


def test_a_classifier_has_no_gguf(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"is a classifier.*--to onnx"):
        attempt(model(tmp_path / "labels", "BertForSequenceClassification"), tmp_path / "out")


def test_an_unknown_number_type_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        EnvironmentProblem,
        match="--quantise q9: unknown for gguf; permitted are q8_0, bf16, f16, f32, q6_k, q5_k_m, q4_k_m",
    ):
        attempt(model(tmp_path / "ships"), tmp_path / "out", "q9")


def test_a_folder_in_use_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept", encoding="utf-8")
    with pytest.raises(EnvironmentProblem, match="out exists already"):
        attempt(model(tmp_path / "ships"), tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text(encoding="utf-8") == "kept"


def test_a_missing_converter_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="Next: finetune setup export"):
        attempt(model(tmp_path / "ships"), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ships"]
