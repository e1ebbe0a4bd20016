"""Streams: long recordings, with lists of what sounds in them when."""
