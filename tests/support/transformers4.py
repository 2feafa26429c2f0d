"""An environment with transformers 4 beside ours: what saved models must be readable by. It is made once and kept."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from filelock import FileLock

PACKAGES = ("transformers==4.57.1", "tokenizers==0.22.2", "huggingface-hub==0.36.2")
"""The last line of version 4, with the two packages that it needs in other versions than ours. All else is shared."""


def transformers_4() -> str:
    """Its interpreter. Made by pip as this machine has it set up: 20 seconds, 60 MB in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "finetune-flows-tests"
    folder = cache / PACKAGES[0].replace("==", "-")
    cache.mkdir(parents=True, exist_ok=True)
    python, done = folder / "bin" / "python", folder / "made.json"
    made = {"packages": PACKAGES, "python": sys.version, "shared": sysconfig.get_path("purelib")}
    with FileLock(f"{folder}.lock"):
        if not done.exists() or json.loads(done.read_text()) != json.loads(json.dumps(made)):
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", *PACKAGES], check=True)
            # After the environment's own folder on the path, so its own packages win.
            own = next((folder / "lib").glob("python*/site-packages"))
            (own / "shared.pth").write_text(made["shared"] + "\n")
            done.write_text(json.dumps(made))
    return str(python)
