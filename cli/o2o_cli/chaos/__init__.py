"""Campaigns that break the platform on purpose, then audit what is left."""
