"""Leitstand in containers: what each executes, what is done once before, and the folder of a server."""
