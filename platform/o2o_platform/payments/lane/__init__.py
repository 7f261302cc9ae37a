"""The provider's callbacks in batches on PostgreSQL: the ordinary ones; all others go to the ordinary unit of work."""
