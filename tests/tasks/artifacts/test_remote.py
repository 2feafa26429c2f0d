"""Artefacts whose weights are in S3 (moto's), and folders that are named there by their content."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from finetune_flows.tasks.artifacts.remote import REMOTE, list_prefix, remote_prefix, with_weights
from finetune_flows.tasks.artifacts.store import Store
from finetune_flows.tasks.aws.clients import Clients
from finetune_flows.tasks.base.errors import ArtifactDamaged
from finetune_flows.tasks.base.files import sha256_of, write_json
from finetune_flows.tasks.platforms.sagemaker import data
from finetune_flows.tasks.recipe import SageMakerPlatform

URI = "s3://a-bucket/finetune/jobs/j/output/model/"


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        made = Clients(SageMakerPlatform(region="us-east-1", bucket="a-bucket"))
        made.client("s3").create_bucket(Bucket="a-bucket")
        yield made


def put(clients: Clients, name: str, body: bytes) -> None:
    clients.client("s3").put_object(Bucket="a-bucket", Key=f"finetune/jobs/j/output/model/{name}", Body=body)


@pytest.fixture
def store(clients: Clients, tmp_path: Path) -> Store:
    """With one model whose weights are in S3 alone."""
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    put(clients, "model/model.safetensors", b"weights")
    put(clients, "model/config.json", b"{}")
    written = {"model/model.safetensors": sha256_of(weights)}
    store = Store(tmp_path / "artifacts")
    with store.write("model", "key") as draft:
        (draft.path / "model").mkdir()
        (draft.path / "model" / "config.json").write_text("{}")
        (draft.path / "training.json").write_text(json.dumps({"weights": written}))
        files = list_prefix(clients.client("s3"), URI)
        write_json(draft.path / REMOTE, {"uri": URI, "region": "us-east-1", "files": files})
    return store


def test_an_artefact_is_as_good_as_its_objects(clients: Clients, store: Store) -> None:
    assert store.find("model", "key") is not None
    put(clients, "model/model.safetensors", b"others!")
    assert store.find("model", "key") is None, "changed, though the size is the same"
    with pytest.raises(ArtifactDamaged, match=r"model\.safetensors"):
        store.require("model", "key")
    clients.client("s3").delete_object(Bucket="a-bucket", Key="finetune/jobs/j/output/model/model/model.safetensors")
    assert store.find("model", "key") is None


def test_a_platform_without_s3_gets_the_weights_once(clients: Clients, store: Store, tmp_path: Path) -> None:
    folder = store.require("model", "key").path / "model"
    whole = with_weights(folder, tmp_path / "fetched")
    assert sorted(path.name for path in whole.iterdir()) == ["config.json", "model.safetensors"]
    (whole / "model.safetensors").chmod(0o400)
    assert with_weights(folder, tmp_path / "fetched") == whole
    assert with_weights(whole, tmp_path / "fetched") == whole, "a folder that has everything is taken as it is"


def test_weights_that_are_not_the_programs_are_refused(clients: Clients, store: Store, tmp_path: Path) -> None:
    folder = store.require("model", "key").path / "model"
    put(clients, "model/model.safetensors", b"others!")
    with pytest.raises(ArtifactDamaged, match="differs from what the training program wrote"):
        with_weights(folder, tmp_path / "fetched")
    assert list((tmp_path / "fetched").iterdir()) == []


def test_sagemaker_serves_such_a_model_from_where_it_is(clients: Clients, store: Store) -> None:
    artifact = store.require("model", "key").path
    assert data.place(clients, "models", artifact / "model") == f"{URI}model/"
    assert remote_prefix(artifact) == URI


def uploads(clients: Clients) -> list[str]:
    sent: list[str] = []
    events = clients.client("s3").meta.events
    for operation in ("PutObject", "CreateMultipartUpload"):
        events.register(f"provide-client-params.s3.{operation}", lambda params, **_: sent.append(params["Key"]))
    return sent


def test_a_folder_is_sent_once_and_mended_when_something_lacks(clients: Clients, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    folder.mkdir()
    (folder / "a").write_text("a")
    (folder / "b").write_text("b")
    sent = uploads(clients)
    uri = data.place(clients, "dataset", folder)
    assert sorted(list_prefix(clients.client("s3"), uri)) == ["a", "b"]
    assert sent[-1].endswith(".json"), "what says that all is there comes last"
    assert len(sent) == 3

    assert data.place(clients, "dataset", folder) == uri
    assert len(sent) == 3
    clients.client("s3").delete_object(Bucket="a-bucket", Key=uri.removeprefix("s3://a-bucket/") + "a")
    assert data.place(clients, "dataset", folder) == uri
    assert sorted(list_prefix(clients.client("s3"), uri)) == ["a", "b"]

    (folder / "a").write_text("c")
    other = data.place(clients, "dataset", folder)
    assert other != uri, "what an earlier model was trained on stays"


def test_a_large_file_goes_in_parts_and_each_is_checked(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "_PART_BYTES", 5 * 2**20)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(bytes(11 * 2**20))
    uri = data.place(clients, "models", folder)
    bucket, key = uri[5:].split("/", 1)
    head: Any = clients.client("s3").head_object(Bucket=bucket, Key=f"{key}model.safetensors", ChecksumMode="ENABLED")
    assert head["ETag"].strip('"').endswith("-3")
    data.download(clients, uri, ["model.safetensors"], tmp_path / "back")
    assert sha256_of(tmp_path / "back" / "model.safetensors") == sha256_of(folder / "model.safetensors")


def test_a_prefix_is_deleted_and_nothing_beside_it(clients: Clients) -> None:
    s3 = clients.client("s3")
    for key in ("p/one/a", "p/one/b/c", "p/one-more"):
        s3.put_object(Bucket="a-bucket", Key=key, Body=b"")
    data.delete_prefix(clients, "s3://a-bucket/p/one/")
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="a-bucket")["Contents"]] == ["p/one-more"]
