"""Spaces, their documents, the passages cut from them, and the answers found in them."""
