"""A server with a classifier, over HTTP: the form of Hugging Face's pipeline, many at once, refusals, a good end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.support.tiny_classifier import build_tiny_encoder, labelled_rows

TEXTS = [row["text"] for row in labelled_rows(24)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served")
    encoder = build_tiny_encoder(root / "encoder")
    torch.manual_seed(1)
    model = AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=2, id2label={0: "negative", 1: "positive"}, problem_type="single_label_classification"
    )
    torch.nn.init.normal_(model.classifier.weight, std=1.0)  # answers that differ
    model.save_pretrained(root / "model")
    AutoTokenizer.from_pretrained(encoder).save_pretrained(root / "model")
    task = {
        "labels": ["negative", "positive"],
        "multi_label": False,
        "thresholds": {"positive": 0.0},
        "cleaning": ["lower_case"],
    }
    (root / "model" / "classifier.json").write_text(json.dumps(task))
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SERVING_MAX_BATCH_SIZE": "8", "SERVING_MAX_MODEL_LENGTH": "64"}
    command = [
        sys.executable,
        "-u",
        "-m",
        "finetune_flows.containers.serving",
        "serve",
        "--root",
        str(folder),
        "--port",
        "0",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = next(line for line in process.stdout if line.startswith("serving "))
        yield line.split(" on ")[1].split()[0], process
        process.kill()


def expected(folder: Path, text: str) -> float:
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    ids = AutoTokenizer.from_pretrained(folder / "model")(text.lower(), return_tensors="pt").input_ids
    with torch.inference_mode():
        return float(model(input_ids=ids).logits.softmax(-1)[0, 1])


def ask(url: str, inputs: object, **parameters: object) -> httpx.Response:
    return httpx.post(f"{url}/invocations", json={"inputs": inputs, "parameters": parameters}, timeout=120)


def test_one_text_gets_a_list_of_labels_as_the_model_scores_them(folder: Path, server: tuple[str, object]) -> None:
    items = ask(server[0], TEXTS[0].upper(), top_k=5).json()
    scores = {item["label"]: item["score"] for item in items}
    assert scores["positive"] == pytest.approx(expected(folder, TEXTS[0]), abs=1e-5)
    assert sum(scores.values()) == pytest.approx(1)
    assert items[0]["score"] >= items[1]["score"]
    assert [item["label"] for item in items if item["chosen"]] == ["positive"], "the threshold is 0"
    assert len(ask(server[0], TEXTS[0]).json()) == 1


def test_many_at_once_get_what_each_gets_alone(server: tuple[str, object]) -> None:
    alone = [ask(server[0], text, top_k=2).json() for text in TEXTS]
    together = ask(server[0], TEXTS, top_k=2).json()
    with ThreadPoolExecutor(16) as pool:
        at_once = [reply.json() for reply in pool.map(lambda text: ask(server[0], text, top_k=2), TEXTS)]
    for one, two, three in zip(alone, together, at_once, strict=True):
        for first, second, third in zip(one, two, three, strict=True):
            assert first["label"] == second["label"] == third["label"]
            assert first["score"] == pytest.approx(second["score"], abs=1e-4)
            assert first["score"] == pytest.approx(third["score"], abs=1e-4)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"inputs": ""}, "inputs"),
        ({"inputs": []}, "inputs"),
        ({"inputs": "a", "parameters": {"top_k": 0}}, "top_k"),
        ({"inputs": "a", "parameters": {"topk": 1}}, "topk"),
        ({"inputs": "a film " * 80}, "parameters.truncation to cut it"),
    ],
)
def test_what_cannot_be_classified_is_refused(server: tuple[str, object], body: object, words: str) -> None:
    reply = httpx.post(f"{server[0]}/invocations", json=body, timeout=60)
    assert reply.status_code == 422
    assert words in reply.json()["error"]


def test_long_texts_are_refused_and_those_that_come_with_them_are_not(server: tuple[str, object]) -> None:
    texts = ["a film " * 80 if number % 7 == 3 else TEXTS[number % len(TEXTS)] for number in range(60)]
    with ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda text: ask(server[0], text), texts))
    assert [reply.status_code for reply in replies] == [422 if number % 7 == 3 else 200 for number in range(60)]


def test_a_long_text_is_cut_when_asked(server: tuple[str, object]) -> None:
    assert ask(server[0], "a film " * 80, truncation=True).status_code == 200


def test_health_metrics_and_no_routes_that_generate(server: tuple[str, object]) -> None:
    assert httpx.get(f"{server[0]}/ping").status_code == 200
    assert 'serving_requests_total{route="/invocations"' in httpx.get(f"{server[0]}/metrics").text
    body = {"messages": [{"role": "user", "content": "a"}]}
    assert httpx.post(f"{server[0]}/v1/chat/completions", json=body).status_code == 404


def test_it_ends_in_good_order(server: tuple[str, subprocess.Popen[str]]) -> None:
    server[1].send_signal(signal.SIGTERM)
    assert server[1].wait(60) == 0


def test_captured_texts_are_those_that_the_model_read(folder: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SERVING_CAPTURE": "1"}
    command = [
        sys.executable,
        "-u",
        "-m",
        "finetune_flows.containers.serving",
        "serve",
        "--root",
        str(folder),
        "--port",
        "0",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = next(line for line in process.stdout if line.startswith("serving ")).split(" on ")[1].split()[0]
        for inputs in ("Very Good", ["Bad", "So so"]):
            httpx.post(f"{url}/invocations", json={"inputs": inputs}, timeout=60).raise_for_status()
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.stdout if line.startswith("{")]
    assert [line["asked"] for line in lines] == [["very good"], ["bad", "so so"]]
