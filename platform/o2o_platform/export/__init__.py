"""Export: every run table as the platform sees it, one JSON object a line."""
