"""What is given to others: a folder of files that run without kerasnas."""
