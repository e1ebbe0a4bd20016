"""Running trials outside the searching process: on this machine or on many.

`base` holds what every runner offers, `local` runs one child process per slot, `ray` runs the
same children on the machines of a Ray cluster.
"""
