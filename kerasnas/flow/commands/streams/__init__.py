"""Commands on streams: `tune-decisions` and `mine`, and what they share."""
