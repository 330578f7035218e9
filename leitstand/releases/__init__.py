"""Releases of a server: another image in the place of the one that runs, without a failed request, and back again.

What is known of a release is in files beside it and not in the database, which may be the very thing that is broken.
"""
