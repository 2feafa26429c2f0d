#!/usr/bin/env bash
# transformers 5.23.0 saves a tokenizer that transformers 4.57.6 cannot load.
#
# Version 5 writes "tokenizer_class": "TokenizersBackend" for a fast tokenizer that was made from a tokenizers object; version
# 4 wrote "PreTrainedTokenizerFast". Version 4 has no class of the new name and refuses the folder, although the format of
# tokenizer.json has not changed. Version 5 reads what version 4 saved. So a model that was fine-tuned with version 5 fails
# in a server that still uses version 4.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 5.23.0 4.57.6; do
  "${PYTHON:-python3}" -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet "transformers==$version"
  "$folder/$version/bin/python" - "$folder/saved-by-$version" <<'PYTHON'
import json
import sys
from pathlib import Path

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, __version__

tokenizer = Tokenizer(models.BPE(vocab={"a": 0, "b": 1, "<s>": 2}, merges=[]))
PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(sys.argv[1])
written = json.loads((Path(sys.argv[1]) / "tokenizer_config.json").read_text())["tokenizer_class"]
print(f"transformers {__version__} writes tokenizer_class {written}")
PYTHON
done
load() { # the version that loads, the version that saved
  "$folder/$1/bin/python" - "$folder/saved-by-$2" <<'PYTHON'
import sys

from transformers import AutoTokenizer, __version__

try:
    loaded = type(AutoTokenizer.from_pretrained(sys.argv[1])).__name__
except ValueError as error:
    print(f"transformers {__version__}: {error}")
    sys.exit(3)
print(f"transformers {__version__} loads a {loaded}")
PYTHON
}
load 5.23.0 4.57.6
load 4.57.6 5.23.0 && status=0 || status=$?
[ "$status" = 3 ] || { echo "The behaviour has changed." && exit 1; }
