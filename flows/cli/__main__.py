"""`python -m finetune_flows.flows.cli`: the same as `finetune`."""

from finetune_flows.flows.cli import main

main()
