"""One machine of a training job: the contract's folders, the program, its checkpoints going up while it runs."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

from tests.support.sagemaker.account import Account
from tests.support.sagemaker.api_model import Payload
from tests.support.sagemaker.containers import Process, Program, start_container
from tests.support.sagemaker.errors import invalid

ReadLine = Callable[[str], None]
SYNC_SECONDS = 0.25


class Host:
    """A machine with a disk of its own."""

    def __init__(self, account: Account, request: Payload, arn: str, folder: Path, number: int) -> None:
        self.account, self.request, self.arn, self.folder = account, request, arn, folder
        self.name = f"algo-{number}"
        self.root = folder / "ml"
        self.uploaded: dict[Path, tuple[int, int]] = {}
        self.sync_lock = threading.Lock()

    def lay_out(self) -> None:
        """Configuration, channels from S3, checkpoints of before."""
        for part in ("input/config", "input/data", "model", "output/data", "checkpoints"):
            (self.root / part).mkdir(parents=True)
        self._write_config()
        for channel in self.request.get("InputDataConfig", []):
            self._download(channel)
        checkpoints = self.request.get("CheckpointConfig")
        if checkpoints:
            self.account.storage.download(checkpoints["S3Uri"].rstrip("/") + "/", self.checkpoints)
            known = (path for path in self.checkpoints.rglob("*") if path.is_file())
            self.uploaded = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in known}

    @property
    def checkpoints(self) -> Path:
        """The folder whose content goes to S3."""
        local = self.request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
        return self.root / Path(local).relative_to("/opt/ml")

    def _write_config(self) -> None:
        resources = self.request["ResourceConfig"]
        hosts = [f"algo-{number + 1}" for number in range(resources.get("InstanceCount", 1))]
        group = {
            "instance_group_name": "homogeneousCluster",
            "instance_type": resources["InstanceType"],
            "hosts": hosts,
        }
        described = {
            "current_host": self.name,
            "current_instance_type": resources["InstanceType"],
            "current_group_name": "homogeneousCluster",
            "hosts": hosts,
            "instance_groups": [group],
            "network_interface_name": "lo",
        }
        channels = {each["ChannelName"]: _channel_config(each) for each in self.request.get("InputDataConfig", [])}
        contents = {
            "hyperparameters": self.request.get("HyperParameters", {}),
            "inputdataconfig": channels,
            "resourceconfig": described,
        }
        for name, content in contents.items():
            (self.root / "input/config" / f"{name}.json").write_text(json.dumps(content))
        addresses = "".join(f"127.0.0.1 {name}\n" for name in ["localhost", *hosts])
        (self.folder / "hosts").write_text(addresses)

    def _download(self, channel: Payload) -> None:
        source = channel["DataSource"]["S3DataSource"]
        self.account.storage.download(source["S3Uri"], self.root / "input/data" / channel["ChannelName"])

    def start(self) -> Program:
        """The request's program, or else the image's own with `train`."""
        algorithm = self.request["AlgorithmSpecification"]
        image = self.account.image(algorithm["TrainingImage"])
        asked, arguments = algorithm.get("ContainerEntrypoint", []), algorithm.get("ContainerArguments") or ["train"]
        network = not self.request.get("EnableNetworkIsolation", False)
        environment = self._environment(network)
        if image.tag:
            return start_container(image.tag, arguments, self.root, environment, network, asked)
        if not asked and not image.entrypoint:
            raise invalid("this image has no program of its own in the emulator: ask for one by ContainerEntrypoint")
        if not asked:
            environment = dict(image.environment) | environment
        return Process.start([*(asked or image.entrypoint), *arguments], self.root, environment, network)

    def _environment(self, network: bool) -> dict[str, str]:
        return {
            **(self.account.role_environment() if network else {}),
            **self.request.get("Environment", {}),
            "TRAINING_JOB_NAME": self.request["TrainingJobName"],
            "TRAINING_JOB_ARN": self.arn,
            "OMP_NUM_THREADS": "1",
        }

    def keep_checkpoints(self, ended: threading.Event) -> None:
        """Sends what is new in the checkpoint folder to S3, again and again, whatever the program is just doing there."""
        while not ended.wait(SYNC_SECONDS):
            self.sync()

    def sync(self) -> None:
        """Once."""
        checkpoints = self.request.get("CheckpointConfig")
        if checkpoints:
            with self.sync_lock:
                self.account.storage.upload(self.checkpoints, checkpoints["S3Uri"], self.uploaded)

    def failure(self) -> str:
        """The first 1,024 characters of the program's own words."""
        path = self.root / "output/failure"
        return path.read_text(errors="replace")[:1024] if path.exists() else ""


def _channel_config(channel: Payload) -> Payload:
    source = channel["DataSource"]["S3DataSource"]
    config = {
        "TrainingInputMode": "File",
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    return config | ({"ContentType": channel["ContentType"]} if "ContentType" in channel else {})
