"""Blocks of networks, and the two readings of them: Keras layers and recorded operations."""

from kerasnas.blocks import convolutional as convolutional  # `from_json` knows what is imported
from kerasnas.blocks import gated as gated
from kerasnas.blocks import recurrent as recurrent
from kerasnas.blocks import shuffle as shuffle
from kerasnas.blocks import statistics as statistics
from kerasnas.blocks import texture as texture
from kerasnas.blocks import trunk as trunk
from kerasnas.blocks import unidirectional as unidirectional
