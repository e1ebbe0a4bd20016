"""Looking at recordings before anything is trained on them."""
