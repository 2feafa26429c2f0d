"""Starts the emulator for a person.

    python -m tests.support.sagemaker

Set the variables that it prints in another terminal, and there run `finetune run recipes/demo.yaml --platform sagemaker`,
or the AWS CLI. Ctrl-C ends it, with every job and endpoint.
"""

import signal
import tempfile
import threading
from pathlib import Path

from tests.support.sagemaker.emulator import Emulator


def main() -> None:
    """Until a signal comes."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="aws-") as folder:
        emulator = Emulator(Path(folder))
        for name, value in emulator.environment().items():
            print(f"export {name}={value}", flush=True)
        ended.wait()
        emulator.stop()


if __name__ == "__main__":
    main()
