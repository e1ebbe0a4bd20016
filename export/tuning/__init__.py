"""Fine-tuning before an export, in a child process."""
