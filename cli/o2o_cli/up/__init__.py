"""Processes of the scaled deployment: who is started, watched, started again, and in which order all ends."""
