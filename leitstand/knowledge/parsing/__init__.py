"""From a file's bytes to passages, in a process of its own: see `process.parse`."""
