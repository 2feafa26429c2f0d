"""Checks of a run with AWS, and estimates, before anything is uploaded."""
