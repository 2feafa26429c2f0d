"""A user's own project: the recipes that ship, and the files that `finetune init` lays out."""
