"""Stands for an interpreter of the process platform: whatever module of ours it should run, it runs the quick programs."""

import os
import sys
from pathlib import Path

words = dict(zip(sys.argv, sys.argv[1:], strict=False))
os.environ |= {
    "CONTRACT_ROOT": words["--root"],
    "CONTRACT_HOST": "127.0.0.1",
    "CONTRACT_PORT": words.get("--port", "0"),
}
program = str(Path(__file__).with_name("program.py"))
what = "serve" if "serve" in sys.argv else "train"
os.execv(sys.executable, [sys.executable, "-u", program, what])
