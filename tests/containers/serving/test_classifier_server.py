"""A server with a classifier, over HTTP: the form of Hugging Face's pipeline, many at once, refusals, a good end."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.containers.serving.running_server import Server
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
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder, "serve", SERVING_MAX_BATCH_SIZE="8", SERVING_MAX_MODEL_LENGTH="64", SERVING_CAPTURE="1")
    yield server
    server.process.kill()


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return server.wait_until_ready()


def expected(folder: Path, text: str) -> float:
    model = AutoModelForSequenceClassification.from_pretrained(folder / "model").eval()
    ids = AutoTokenizer.from_pretrained(folder / "model")(text.lower(), return_tensors="pt").input_ids
    with torch.inference_mode():
        return float(model(input_ids=ids).logits.softmax(-1)[0, 1])


def ask(url: str, inputs: object, **parameters: object) -> httpx.Response:
    return httpx.post(f"{url}/invocations", json={"inputs": inputs, "parameters": parameters}, timeout=120)


def test_one_text_gets_a_list_of_labels_as_the_model_scores_them(folder: Path, url: str) -> None:
    items = ask(url, TEXTS[0].upper(), top_k=5).json()
    scores = {item["label"]: item["score"] for item in items}
    assert scores["positive"] == pytest.approx(expected(folder, TEXTS[0]), abs=1e-5)
    assert sum(scores.values()) == pytest.approx(1)
    assert items[0]["score"] >= items[1]["score"]
    assert [item["label"] for item in items if item["chosen"]] == ["positive"], "the threshold is 0"
    assert len(ask(url, TEXTS[0]).json()) == 1


def test_many_at_once_get_what_each_gets_alone(url: str) -> None:
    alone = [ask(url, text, top_k=2).json() for text in TEXTS]
    together = ask(url, TEXTS, top_k=2).json()
    with ThreadPoolExecutor(16) as pool:
        at_once = [reply.json() for reply in pool.map(lambda text: ask(url, text, top_k=2), TEXTS)]
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
def test_what_cannot_be_classified_is_refused(url: str, body: object, words: str) -> None:
    reply = httpx.post(f"{url}/invocations", json=body, timeout=60)
    assert reply.status_code == 422
    assert words in reply.json()["error"]


def test_long_texts_are_refused_and_those_that_come_with_them_are_not(url: str) -> None:
    texts = ["a film " * 80 if number % 7 == 3 else TEXTS[number % len(TEXTS)] for number in range(60)]
    with ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda text: ask(url, text), texts))
    assert [reply.status_code for reply in replies] == [422 if number % 7 == 3 else 200 for number in range(60)]


def test_a_long_text_is_cut_when_asked(url: str) -> None:
    assert ask(url, "a film " * 80, truncation=True).status_code == 200


def test_health_metrics_and_no_routes_that_generate(url: str) -> None:
    assert httpx.get(f"{url}/ping").status_code == 200
    assert 'serving_requests_total{route="/invocations"' in httpx.get(f"{url}/metrics").text
    body = {"messages": [{"role": "user", "content": "a"}]}
    assert httpx.post(f"{url}/v1/chat/completions", json=body).status_code == 404


def test_it_ends_in_good_order_and_captured_what_the_model_read(server: Server, url: str) -> None:
    for inputs in ("Very Good", ["Bad", "So so"]):
        ask(url, inputs).raise_for_status()
    assert server.stop() == 0
    server.reader.join()
    lines = [json.loads(line) for line in server.lines if line.startswith("{")]
    assert [line["asked"] for line in lines[-2:]] == [["very good"], ["bad", "so so"]]
