"""What a score is worth: baselines, findings, suspected labels, and the mistakes to look at."""
