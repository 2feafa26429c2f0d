"""What a person reads of a finished run: one HTML page, and the card of the model. Files in, text out."""
