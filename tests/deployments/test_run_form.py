"""A person in a browser: opens a deployment, fills in the form, presses Submit, sees the run end, reads its artifacts.

With PICTURES=docs/pictures in the environment the screenshots of docs/prefect-ui.md are taken anew.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from finetune_flows.tasks.evaluation.registry import Registry
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
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
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


def submit(page: Page) -> None:
    """Presses Submit; again, as a person would, when the server's SQLite was locked for the moment (503)."""
    done = page.get_by_text("scheduled to start now")
    for _ in range(5):
        page.get_by_role("button", name="Submit").click()
        page.get_by_text("Unknown error while creating flow run").or_(done).first.wait_for()
        if done.count():
            return
        page.wait_for_timeout(5000)
    raise AssertionError("Submit was refused five times")


def test_a_recipe_is_filled_in_submitted_and_its_artifacts_read(
    server: PrefectServer, page: Page, pictures: Path
) -> None:
    page.goto(f"{server.url}/v2/deployments?page=1&sort=NAME_ASC&limit=25")
    expect(page.get_by_text("text-to-sql-qwen3-4b").first).to_be_visible(timeout=SLOW)
    take(page, pictures / "deployments.png")

    page.goto(f"{server.url}/v2/deployments/deployment/{server.deployment('demo')['id']}/run")
    expect(page.get_by_text("Jobs, endpoints and the champion carry it.")).to_be_visible(timeout=SLOW)
    for kind in ("Text to SQL", "Text classification", "Chat"):
        expect(page.get_by_role("tab", name=kind, exact=True)).to_be_visible()
    expect(page.get_by_text('Property is type "None"')).to_have_count(0)
    page.get_by_label("Run Name").fill("from-the-form")
    take(page, pictures / "run-form.png")
    described = page.get_by_text("Number of test rows. The base model and the tuned model answer the same rows.")
    described.locator("xpath=following::input[1]").fill("4")
    docker = page.get_by_role("tab", name="Docker")
    docker.scroll_into_view_if_needed()
    docker.click()
    expect(
        page.get_by_text("GPUs to use, as in docker run --gpus: all, a count, or device=0,2. Empty: no GPU.")
    ).to_be_visible()
    take(page, pictures / "platform-tabs.png")
    page.get_by_role("tab", name="Process").click()
    page.wait_for_timeout(2000)  # the form takes up the other tab's values a moment later
    submit(page)

    wait_for(lambda: any(run["name"] == "from-the-form" for run in server.runs_of("demo")), 180, "the submitted run")
    [run] = [run["id"] for run in server.runs_of("demo") if run["name"] == "from-the-form"]
    wait_for(lambda: server.ended(run) != "", 420, "the end of the run")
    assert server.ended(run) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    recipe = server.get(f"flow_runs/{run}")["parameters"]["recipe"]
    assert recipe["evaluation"]["rows"] == 4
    assert recipe["platform"]["kind"] == "process"

    page.goto(f"{server.url}/v2/runs/flow-run/{run}?tab=Artifacts")
    for key in ("dataset-card", "training-report", "deployment", "evaluation-report", "gate-decision", "cost"):
        expect(page.get_by_text(key).first).to_be_visible(timeout=SLOW)
    take(page, pictures / "run.png")
    for key, words in (
        ("evaluation-report", "tuned model"),
        ("training-report", "nats per token"),
        ("cost", "whole run"),
    ):
        page.goto(f"{server.url}/v2/artifacts/artifact/{server.artifact(run, key)}")
        expect(page.get_by_text(words).first).to_be_visible(timeout=SLOW)
        if key == "training-report":
            drawn = page.get_by_alt_text("Loss by step").evaluate("picture => picture.naturalWidth")
            assert drawn > 0, "the curve is a picture"
        take(page, pictures / f"{key}.png")
    [folder] = (server.folder / "home" / "runs").glob(f"*-{run[:8]}")
    page.goto((folder / "report.html").as_uri())
    expect(page.get_by_text("Next:")).to_be_visible()


def test_a_person_approves_by_the_form_that_resume_opens(
    server: PrefectServer, waiting: str, page: Page, pictures: Path
) -> None:
    page.goto(f"{server.url}/v2/runs/flow-run/{waiting}")
    expect(page.get_by_text("Suspended").first).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Open menu").click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("of asked serve?")).to_be_visible()
    dialog.get_by_role("button", name="Resume").click()
    dialog.get_by_role("button", name="Select Decision").click()
    page.get_by_role("option", name="approve").click()
    dialog.get_by_role("textbox", name="Reason").fill("its wrong answers are harmless")
    take(page, pictures / "approval.png")
    dialog.get_by_role("button", name="Resume").click()

    wait_for(lambda: server.ended(waiting) in ("COMPLETED", "FAILED", "CRASHED"), 240, "the promotion")
    assert server.ended(waiting) == "COMPLETED", (server.folder / "worker.log").read_text(encoding="utf-8")
    record = Registry(server.folder / "home" / "registry").read("asked")
    assert record.champion is not None
    assert record.switches[-1].reason == "approved: its wrong answers are harmless"
