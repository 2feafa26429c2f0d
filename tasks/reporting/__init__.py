"""Reports for people: an HTML page and a model card for each run, and cards for the Prefect UI. Files in, text out."""
