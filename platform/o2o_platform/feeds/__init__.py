"""Feeds: what happened, as server-sent events that can be resumed (W9)."""
