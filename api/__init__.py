"""The JSON API, the public runtime and the query service."""
