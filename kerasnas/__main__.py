"""`python -m kerasnas`."""

from kerasnas.cli import main

main()
