"""Judging on databases that people have."""
