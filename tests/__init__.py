"""A package, because a dependency of `sagemaker` (smdebug-rulesconfig) installs one of the same name, which would win."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORT = ROOT / "tests" / "support"
