"""python -m leitstand: the command line."""

from leitstand.cli import main

main()
