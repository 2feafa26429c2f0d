"""Starts the training program in a container that was not built for it, such as AWS's own.

    python3 /opt/ml/input/data/code/entry.py train

The channel `code` holds this file, the training program and requirements.txt. Packages that the container lacks, or has in
another version, are installed first. They go into a separate folder, so that the container's own packages stay unchanged.
"""

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CODE = Path(__file__).resolve().parent
ROOT = CODE.parents[2]  # /opt/ml in SageMaker


def main(arguments: list[str]) -> None:
    """Install missing packages and become the training program, in the same process, so that SIGTERM reaches it."""
    path = [str(CODE)]
    lacking = lacking_packages((CODE / "requirements.txt").read_text(encoding="utf-8"))
    if lacking:
        print(f"installing {len(lacking)} packages: {' '.join(lacking)}", flush=True)
        path.insert(0, install(lacking))
    os.environ["PYTHONPATH"] = os.pathsep.join([*path, *filter(None, [os.environ.get("PYTHONPATH")])])
    program = [sys.executable, "-u", "-m", "finetune_flows.training", *arguments, "--root", str(ROOT)]
    os.chdir(CODE)  # `-m` searches the current folder first, and the container's own may hold a module of the same name
    os.execv(sys.executable, program)


def lacking_packages(requirements: str) -> list[str]:
    """The lines `name==version` whose package is not installed in exactly that version."""
    lines = [line.strip() for line in requirements.splitlines() if line.strip() and not line.startswith("#")]
    return [line for line in lines if version_of(line.partition("==")[0]) != line.partition("==")[2]]


def version_of(package: str) -> str | None:
    """The installed version of a package; None when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def install(packages: list[str]) -> str:
    """Install packages into a new folder and return the folder. Ends the job with pip's last line when that fails."""
    folder = tempfile.mkdtemp(prefix="packages-")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *packages]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        words = result.stderr.strip().splitlines()[-1:] or ["no output"]
        fail(
            f"the container lacks packages and they cannot be installed: {words[0]}. "
            "Next: set platform.training_image to an image built from containers/training"
        )
    return folder


def fail(reason: str) -> None:
    """Write the reason to the file that SageMaker reads, and end the job."""
    print(reason, file=sys.stderr, flush=True)
    (ROOT / "output").mkdir(parents=True, exist_ok=True)
    (ROOT / "output" / "failure").write_text(reason[:1024], encoding="utf-8")
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
