"""A server, our deployments with a tiny model in place of the demo's, and a worker that runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from finetune_flows.flows.setup import POOL
from finetune_flows.tasks.platforms.process.runner import ProcessRunner
from tests.support.prefect_server import PREFECT, PrefectServer, prefect_server, wait_for
from tests.support.tiny_model import build_tiny_model, tiny_recipe


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Set up and deployed to by the commands that docs/prefect-ui.md names; a worker waits for runs."""
    folder = tmp_path_factory.mktemp("server")
    file = _with_a_tiny_demo(folder)
    with prefect_server(folder) as started:
        started.command(*PREFECT[:2], "finetune_flows.flows.cli", "setup", "prefect")
        started.command(*PREFECT, "--no-prompt", "deploy", "--all", "--prefect-file", str(file))
        with started.worker(POOL):
            yield started
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINETUNE_HOME", str(folder / "home"))  # the worker's; addresses are looked for there alone
        platform = ProcessRunner()
        for alias in platform.aliases():
            platform.delete_alias(alias.name)
        for endpoint in platform.endpoints():
            platform.delete_endpoint(endpoint.name)


@pytest.fixture(scope="session")
def judged(server: PrefectServer) -> str:
    """A candidate of the recipe `asked` passed the gate and needs a person; the run of promote that it started."""
    recipe = server.deployment("demo")["parameters"]["recipe"]
    run = server.start("demo", recipe=recipe | {"name": "asked", "gate": recipe["gate"] | {"approval": True}})
    wait_for(lambda: server.ended(run) != "", 300, "the run that ends with a candidate")
    assert server.ended(run) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    [asking] = server.runs_of("promote")
    return str(asking["id"])


@pytest.fixture
def waiting(server: PrefectServer, judged: str) -> str:
    """A run of promote that waits for a person."""
    run = judged if server.ended(judged) in ("", "PAUSED") else server.start("promote", name="asked", ask=True)
    wait_for(lambda: server.ended(run) != "", 120, "the question")
    assert server.ended(run) == "PAUSED", (server.folder / "worker.log").read_text(encoding="utf-8")
    return run


def _with_a_tiny_demo(folder: Path) -> Path:
    """prefect.yaml as it is, but for a recipe of seconds, and a sweep that is due every minute."""
    content = yaml.safe_load(Path("prefect.yaml").read_text(encoding="utf-8"))
    deployments = {each["name"]: each for each in content["deployments"]}
    deployments["demo"]["parameters"] = {
        "recipe": tiny_recipe(folder, build_tiny_model(folder / "base")) | {"name": "demo"}
    }
    deployments["retrain"]["parameters"] = deployments["demo"]["parameters"]
    deployments["sweep"]["schedules"][0]["cron"] = "* * * * *"
    file = folder / "prefect.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    return file
