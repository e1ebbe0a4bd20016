"""The journal on disk: lines linked by checksums, and a lock that lets one process write."""
