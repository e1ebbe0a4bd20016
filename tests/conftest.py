"""What all tests need."""

import signal

# A shell starts jobs in the background with interrupts ignored, and every child inherits that:
# tests that interrupt a program would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)
