"""What the live tests do after themselves, tried here: on an account that bills, it has to work the first time."""

from pathlib import Path

from tests.live.test_sagemaker_live import clean_up
from tests.support.quick_work import a_job, an_endpoint
from tests.support.sagemaker.emulator import BUCKET, Emulator
from tests.tasks.platforms.sagemaker.platform_jobs import runner, use_quick_programs


def test_all_that_a_live_test_made_is_gone_afterwards_and_nothing_else(emulator: Emulator, tmp_path: Path) -> None:
    use_quick_programs(emulator)
    emulator.account.s3.put_object(Bucket=BUCKET, Key="finetune/of-somebody-else", Body=b"x")
    live = runner(tmp_path, prefix="finetune-live/1")
    live.start_job(a_job(tmp_path, steps="5000").model_copy(update={"name": "live-1"}))
    other = runner(tmp_path, prefix="finetune")
    other.start_job(a_job(tmp_path, steps="5000").model_copy(update={"name": "other-1"}))
    live.start_endpoint(an_endpoint(tmp_path, "live"))
    clean_up(live.section)
    assert emulator.holds() == {"endpoints": [], "configs": [], "models": [], "running jobs": ["other-1"]}
    keys = [each["Key"] for each in emulator.account.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert "finetune/of-somebody-else" in keys
    assert [key for key in keys if key.startswith("finetune-live/")] == []
