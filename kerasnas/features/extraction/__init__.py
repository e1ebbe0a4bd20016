"""Features of a whole data set: computed by several processes, or read as stored, and kept."""
