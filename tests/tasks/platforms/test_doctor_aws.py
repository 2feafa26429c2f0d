"""What `doctor` says of AWS. It asks nothing of the network, and doing without AWS is no problem."""

from pathlib import Path

import pytest

from finetune_flows.tasks.platforms import doctor
from finetune_flows.tasks.preflight.findings import Finding


@pytest.fixture(autouse=True)
def nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("FINETUNE_HOME", str(tmp_path / "home"))


def aws() -> list[Finding]:
    return [finding for finding in doctor.examine() if finding.what.startswith("AWS")]


def test_without_credentials_it_says_how_to_get_them_and_finds_no_fault() -> None:
    credentials, region = aws()
    assert (credentials.found, region.found) == ("none", "none")
    assert "aws configure" in credentials.advice
    assert "platform.region" in region.advice
    assert credentials.ok
    assert region.ok


def test_credentials_and_region_are_told_without_showing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    credentials, region = aws()
    assert (credentials.found, region.found) == ("from env", "eu-west-1")
    assert credentials.advice == region.advice == ""
    assert "a-secret" not in str(aws())


def test_a_profile_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    (finding,) = aws()
    assert "nobody" in finding.found
    assert finding.ok
