"""What runs in worker processes, and the pool that runs it."""
