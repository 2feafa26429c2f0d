"""What hypothesis makes up for files that others write: recipes, rows, our own records, logs, metrics.

The few examples of a usual run take seconds. Many: pytest tests/bad_inputs --hypothesis-profile=many
"""

import gzip
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finetune_flows.tasks.artifacts.store import MANIFEST, Store
from finetune_flows.tasks.base.errors import DatasetError, RecipeError
from finetune_flows.tasks.dataset.readers import READERS
from finetune_flows.tasks.dataset.source import find_source
from finetune_flows.tasks.evaluation.pairs import read_pairs
from finetune_flows.tasks.evaluation.registry import Registry
from finetune_flows.tasks.monitoring.captured import asked_prompts
from finetune_flows.tasks.monitoring.counters import read_counters
from finetune_flows.tasks.problems.text_to_sql.extract import extract_sql
from finetune_flows.tasks.recipe import Recipe, load_recipe, parse_recipe
from finetune_flows.tasks.train import parse_step
from finetune_flows.tasks.tuning.readings import Readings
from tests.bad_inputs.test_recipe_fields import SOUND

MANY = settings.get_current_profile_name() == "many"
fuzzed = settings(
    deadline=None,
    max_examples=3_000 if MANY else 30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(["chat", "text-to-sql", "process", "sagemaker", "rows.jsonl", "{context}", "a/b", "s3://x"])
)
NAMES = (
    st.sampled_from(sorted({*Recipe.model_fields, "kind", "source", "scores", "space", "judging", "low"})) | st.text()
)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=12
)


def check_recipe_error(error: RecipeError) -> None:
    assert error.problems
    assert all(problem and "\n" not in problem and len(problem) < 1_000 for problem in error.problems)


@fuzzed
@given(st.dictionaries(NAMES, TREES, max_size=6), st.booleans())
def test_a_recipe_of_any_content_is_right_or_refused(content: dict[str, Any], with_sound_parts: bool) -> None:
    try:
        parse_recipe(SOUND | content if with_sound_parts else content, "recipe")
    except RecipeError as error:
        check_recipe_error(error)


@fuzzed
@given(st.binary(max_size=300) | st.text("{}[]:,-&*!?|>'\"#% \n\tab01.~<", max_size=200).map(str.encode))
def test_a_recipe_file_of_any_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "recipe.yaml")
    check_recipe_error(caught.value)


@fuzzed
@given(st.lists(st.text("training.epochs=[]{}:,'\" 0\n", max_size=30), max_size=4), TREES)
def test_overrides_of_any_text_are_right_or_refused(texts: list[str], value: Any) -> None:
    written = yaml.safe_dump(value, default_flow_style=True) if _is_plain(value) else "1"
    try:
        parse_recipe(SOUND, "recipe", [*texts, f"evaluation.rows={written}"])
    except RecipeError as error:
        check_recipe_error(error)


def _is_plain(value: Any) -> bool:
    """Whether YAML has words for it."""
    try:
        json.dumps(value, allow_nan=False).encode()
    except (TypeError, ValueError):
        return False
    return True


TEXT_FORMATS = [f"rows{suffix}" for suffix in READERS if suffix != ".parquet"] + ["rows.jsonl.gz"]
ROW_TEXTS = st.text("{}[]\":,;\t\r\n\\ud800 0e.'ab\ufeff", max_size=200).map(lambda text: text.encode(errors="replace"))


@pytest.mark.parametrize("name", TEXT_FORMATS)
@fuzzed
@given(content=st.binary(max_size=200) | ROW_TEXTS)
def test_rows_of_any_bytes_are_read_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try:
        rows = list(find_source(str(path), None, "train").rows())
    except DatasetError:
        return
    assert all(row.values is None or isinstance(row.values, dict) for row in rows)
    assert all(row.problem and row.problem.kind for row in rows if row.values is None)


@fuzzed
@given(content=ROW_TEXTS, cut=st.integers(1, 40), flip=st.integers(0, 10**6))
def test_a_gzip_file_that_was_cut_or_changed_is_read_or_refused(
    tmp_path: Path, content: bytes, cut: int, flip: int
) -> None:
    whole = bytearray(gzip.compress(content))
    whole[flip % len(whole)] ^= 1 << flip % 8
    (tmp_path / "rows.jsonl.gz").write_bytes(whole[: -(cut % len(whole))] or b"\x1f")
    with pytest.raises(DatasetError):
        list(find_source(str(tmp_path / "rows.jsonl.gz"), None, "train").rows())


@fuzzed
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["schema", "gold", "prediction", "db", "dialect", "x"]), TREES), max_size=4
    )
)
def test_pairs_of_any_values_are_read_or_refused(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps(row, default=str) + "\n" for row in rows), encoding="utf-8"
    )
    with suppress(DatasetError):
        assert len(read_pairs(tmp_path / "pairs.jsonl", "sqlite")) == len(rows)


@fuzzed
@given(st.text("`sqlSELECT select*from \n'\";()-/tTheanswer:\x00ü", max_size=400), st.sampled_from(["sqlite", "mysql"]))
def test_the_sql_of_any_answer_is_a_part_of_it(answer: str, dialect: Any) -> None:
    found = extract_sql(answer, dialect)
    assert isinstance(found, str)
    assert len(found) <= len(answer)


@fuzzed
@given(st.binary(max_size=200) | TREES.map(lambda tree: json.dumps(tree, default=str).encode()))
def test_a_record_of_ours_that_holds_anything_counts_as_absent(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path / "artifacts")
    folder = store.folder("model", "k" * 24)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).write_bytes(content)
    assert store.find("model", "k" * 24) is None


@fuzzed
@given(st.binary(max_size=200) | TREES.map(lambda tree: json.dumps(tree, default=str).encode()))
def test_a_registry_that_holds_anything_has_no_champion(tmp_path: Path, content: bytes) -> None:
    registry = Registry(tmp_path / "registry")
    registry.root.mkdir(parents=True, exist_ok=True)
    (registry.root / "demo.json").write_bytes(content)
    assert registry.read("demo").champion is None


NUMBERS = st.text("0123456789.e-+nainf", max_size=12)


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(["step", "steps", "loss", "validation_loss", "x"]), NUMBERS), max_size=6))
def test_log_lines_with_any_numbers_are_read_or_passed_over(fields: list[tuple[str, str]]) -> None:
    readings, line = Readings("loss", {}), " ".join(f"{name}={value}" for name, value in [("step", "1"), *fields])
    readings.read(line)
    step = parse_step(line)
    assert step is None or float(step["step"]) <= float("inf")
    assert all(value == value for value in readings.values.values())


@fuzzed
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["process_start_time_seconds", "serving_running", "serving_requests_total", "serving_request_seconds_bucket"]),
            st.sampled_from(["", '{status="200"}', '{status="x"}', '{le="x"}', '{le="+Inf"}', '{route="/"}', '{status="'])
            , NUMBERS
        ),
        max_size=6,
    )
)  # fmt: skip
def test_metrics_with_any_numbers_are_read_or_passed_over(samples: list[tuple[str, str, str]]) -> None:
    page = "".join(f"{name}{labels} {value}\n" for name, labels, value in samples)
    read_counters(page, datetime.now(UTC))


@fuzzed
@given(st.lists(TREES, max_size=4), st.integers(0, 3))
def test_access_logs_of_any_content_give_texts(tmp_path: Path, trees: list[Any], depth: int) -> None:
    lines = [json.dumps({"asked": tree}, default=str) for tree in trees] + ['{"asked": ' + "[" * 10 ** (depth + 2)]
    (tmp_path / "log.txt").write_text("\n".join(lines), encoding="utf-8", errors="replace")
    assert all(isinstance(text, str) for text in asked_prompts_of(tmp_path))


def asked_prompts_of(folder: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from finetune_flows.tasks.artifacts.references import Reference

    for split in ("validation", "test"):
        pq.write_table(
            pa.table({"prompt": pa.array([], pa.list_(pa.struct({"content": pa.string()})))}),
            folder / f"{split}.parquet",
        )
    dataset = Reference(kind="dataset", uri=str(folder), digest="d", size=1, step_key="k")
    return asked_prompts(folder / "log.txt", dataset)
