"""Artefacts: references to them, the store that keeps them, the keys that name them, the registry of champions."""
