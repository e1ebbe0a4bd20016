"""Files that take the waveform: front end, labels and metadata in one file."""
