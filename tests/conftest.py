"""What holds for every test: no model hub is asked, whatever the machine can reach."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
