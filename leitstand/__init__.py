"""The core of Leitstand: everything that is true whatever the surface."""

__version__ = "0.1.0"
