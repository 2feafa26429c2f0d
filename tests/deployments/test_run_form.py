"""A person in a browser: opens a deployment, fills in the form, presses Submit, sees the run end, reads its artifacts.

With PICTURES=docs/pictures in the environment the screenshots of docs/prefect-ui.md are taken anew.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.support.prefect_server import PrefectServer, wait_for

pytestmark = pytest.mark.browser
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip
SLOW = 60_000  # milliseconds: the machine may have other work


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    assert chromium, "apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        opened = browser.new_page(viewport={"width": 1200, "height": 1000})
        opened.set_default_timeout(SLOW)
        yield opened
        browser.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def take(page: Page, file: Path) -> None:
    page.wait_for_timeout(1500)  # charts and highlighting are drawn after the data came
    page.screenshot(path=file)


def deployment_id(server: PrefectServer, name: str) -> str:
    [found] = server.post("deployments/filter", deployments={"name": {"any_": [name]}})
    return str(found["id"])


def ended(server: PrefectServer, run: str) -> dict[str, Any] | None:
    state: dict[str, Any] = server.get(f"flow_runs/{run}")
    return state if state["state_type"] in ("COMPLETED", "FAILED", "CRASHED") else None


def test_a_recipe_is_filled_in_submitted_and_its_artifacts_read(
    server: PrefectServer, page: Page, pictures: Path
) -> None:
    page.goto(f"{server.url}/v2/deployments")
    expect(page.get_by_text("text-to-sql-qwen3-4b").first).to_be_visible(timeout=SLOW)
    take(page, pictures / "deployments.png")

    page.goto(f"{server.url}/v2/deployments/deployment/{deployment_id(server, 'demo')}/run")
    expect(page.get_by_text("Jobs, endpoints and the champion carry it.")).to_be_visible(timeout=SLOW)
    page.get_by_label("Run Name").fill("from-the-form")
    take(page, pictures / "run-form.png")
    described = page.get_by_text("Test rows that are asked, the same for base and tuned model.")
    described.locator("xpath=following::input[1]").fill("4")
    docker = page.get_by_role("tab", name="Docker")
    docker.scroll_into_view_if_needed()
    docker.click()
    expect(page.get_by_text("As in docker run --gpus: all, a count, or device=0,2. Default: no GPU.")).to_be_visible()
    take(page, pictures / "platform-tabs.png")
    page.get_by_role("tab", name="Process").click()
    page.wait_for_timeout(2000)  # the form takes up the other tab's values a moment later
    page.get_by_role("button", name="Submit").click()

    wait_for(lambda: any(run["name"] == "from-the-form" for run in server.runs_of("demo")), 180, "the submitted run")
    [run] = [run["id"] for run in server.runs_of("demo") if run["name"] == "from-the-form"]
    wait_for(lambda: ended(server, run) is not None, 420, "the end of the run")
    state = ended(server, run)
    assert state is not None
    assert state["state_type"] == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    assert state["parameters"]["recipe"]["evaluation"]["rows"] == 4
    assert state["parameters"]["recipe"]["platform"]["kind"] == "process"

    page.goto(f"{server.url}/v2/runs/flow-run/{run}?tab=Artifacts")
    for key in ("dataset-card", "training-report", "deployment", "evaluation-report", "gate-decision", "cost"):
        expect(page.get_by_text(key).first).to_be_visible(timeout=SLOW)
    take(page, pictures / "run.png")
    for key, words in (("evaluation-report", "tuned model"), ("training-report", "nats per token")):
        page.goto(f"{server.url}/v2/artifacts/key/{key}")
        expect(page.get_by_text(words).first).to_be_visible(timeout=SLOW)
        take(page, pictures / f"{key}.png")
    page.get_by_role("link", name="cost").first.click()
    expect(page.get_by_text("this run, from start to end").first).to_be_visible(timeout=SLOW)
