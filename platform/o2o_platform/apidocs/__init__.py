"""The API's own page: /docs without anything from elsewhere."""
