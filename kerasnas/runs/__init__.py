"""The run directory: the names of its files, what each holds, and who may work in it."""
