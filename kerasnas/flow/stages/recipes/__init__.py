"""Which recipe suits the recordings: tried on the validation clips before the search, not guessed.

One small network of the space is trained by each of a few recipes (`kerasnas.training.presets`),
for as many epochs as a final training has, or as many as a quarter of the search's time allows;
what that takes comes out of `search.hours`.
First the amounts of augmentation are compared, then, where classes differ in size, whether to draw
them equally often. The mildest recipe that is not clearly worse than the best is used.
"""
