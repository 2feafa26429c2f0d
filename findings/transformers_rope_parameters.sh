#!/usr/bin/env bash
# transformers 4.57.6 ignores the rotary base in a configuration that transformers 5.23.0 saved, without a word.
#
# Version 5 writes the rotary position embedding as "rope_parameters" and no longer as "rope_theta" and "rope_scaling". Version
# 4 does not know the new name: it keeps it as an unused attribute and takes its own default, 10000. So a Llama 3 (500000)
# that was fine-tuned with version 5 loads in a server on version 4, and answers worse the longer the text is. No warning is
# logged. Expected: an error, or the saved base.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 5.23.0 4.57.6; do
  "${PYTHON:-python3}" -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet "transformers==$version"
done
"$folder/5.23.0/bin/python" - "$folder/saved" <<'PYTHON'
import json
import sys
from pathlib import Path

from transformers import LlamaConfig

LlamaConfig(rope_parameters={"rope_type": "default", "rope_theta": 500000.0}).save_pretrained(sys.argv[1])
saved = json.loads((Path(sys.argv[1]) / "config.json").read_text())
print("transformers 5.23.0 saves", {name: value for name, value in saved.items() if "rope" in name})
PYTHON
"$folder/4.57.6/bin/python" - "$folder/saved" <<'PYTHON' || { echo "The behaviour has changed." && exit 1; }
import sys

from transformers import AutoConfig

read = AutoConfig.from_pretrained(sys.argv[1])
print("transformers 4.57.6 reads rope_theta", read.rope_theta, "and rope_scaling", read.rope_scaling)
sys.exit(read.rope_theta != 10000.0)
PYTHON
