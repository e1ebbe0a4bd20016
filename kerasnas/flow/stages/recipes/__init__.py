"""Which recipe suits the recordings: tried on the validation clips before the search, not guessed.

One small network of the space is trained by each of a few recipes (`kerasnas.training.presets`),
for as many epochs as a final training has, or as many as a quarter of the search's time allows;
what that takes comes out of `search.hours`.
Where classes differ in size, the mildest is tried with and without drawing them equally often; then
all amounts of augmentation are compared. The mildest recipe that is not clearly worse than the best
is used.
"""
