"""What AWS is asked, and what is worked out, before anything is uploaded."""
