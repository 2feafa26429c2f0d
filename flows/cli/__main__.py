"""`python -m flows.cli`: the same as `finetune`."""

from flows.cli import main

main()
