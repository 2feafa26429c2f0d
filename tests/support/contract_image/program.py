"""A training program of a second: it obeys the container contract, tells what it sees, and fails as it is told to.

With `serve` it is a server of a second, and with `stage` it says something: so the platform is tested without waiting
for torch.
"""

import json
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path

if sys.argv[1:] == ["serve"]:
    runpy.run_path(str(Path(__file__).with_name("server.py")), run_name="__main__")

if sys.argv[1:2] == ["stage"]:
    print("a library warns", file=sys.stderr)
    print("the chat template writes today's date")
    sys.exit()

ML = Path(os.environ.get("CONTRACT_ROOT", "/opt/ml"))
settings = json.loads((ML / "input/config/hyperparameters.json").read_text())
stop = []


def can_write(path):
    try:
        Path(path).write_text("x")
        return True
    except OSError:
        return False


def has_network():
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=0.2)
    except TimeoutError:
        return True  # a route, if nobody at its end
    except OSError:
        return False
    return True


def capabilities():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith("CapEff"))


def checkpoint(step):
    temporary = ML / "checkpoints/step.new"
    temporary.write_text(str(step))
    temporary.rename(ML / "checkpoints/step")


def main():
    if settings.get("ignore_sigterm") != "1":
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    else:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done = ML / "checkpoints/step"
    start = int(done.read_text()) if done.exists() else 0
    steps = int(settings.get("steps", "2"))
    for step in range(start + 1, steps + 1):
        print(f"step={step} steps={steps} loss=1.0", flush=True)
        if "allocate_mb" in settings:
            hog = bytearray(int(settings["allocate_mb"]) << 20)
            hog[::4096] = b"x" * len(hog[::4096])
        if "fail" in settings:
            (ML / "output/failure").write_text(settings["fail"])
            return 3
        time.sleep(float(settings.get("seconds", "0.05")))
        checkpoint(step)
        if stop:
            print("stopped: a restart goes on from the last checkpoint", flush=True)
            return 0
    seen = {
        "arguments": sys.argv[1:],
        "channels": sorted(path.name for path in (ML / "input/data").iterdir()),
        "rows": (ML / "input/data/dataset/rows.txt").read_text(),
        "writable": [
            p for p in ("/x", "/opt/x", "/opt/ml/input/data/dataset/x", "/tmp/x", "/dev/shm/x") if can_write(p)
        ],
        "network": has_network(),
        "capabilities": capabilities(),
        "user": os.getuid(),
        "started_at": start,
    }
    (ML / "model/training.json").write_text(json.dumps(seen))
    return 0


sys.exit(main())
