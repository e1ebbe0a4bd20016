"""Features of clips, and their cache. librosa is imported when the first feature is computed."""

from kerasnas.features.audio import read
from kerasnas.features.clip_features import clip_features, of_file, sliding
from kerasnas.features.description import describe, golden
from kerasnas.features.embedding_settings import Embedding, StoredEmbedding
from kerasnas.features.extraction.cache import extract, processes_for
from kerasnas.features.framewise import FramewiseFeatures, require_framewise
from kerasnas.features.front_ends import FrontEnd, front_end
from kerasnas.features.mel_settings import Mfcc, Pcen, TfioLogMel
from kerasnas.features.settings import LogMel, Scalogram
from kerasnas.features.spectral.log_mel import log_mel
from kerasnas.features.spectral.scalogram import scalogram

__all__ = [
    "Embedding",
    "FramewiseFeatures",
    "FrontEnd",
    "LogMel",
    "Mfcc",
    "Pcen",
    "Scalogram",
    "StoredEmbedding",
    "TfioLogMel",
    "clip_features",
    "describe",
    "extract",
    "front_end",
    "golden",
    "log_mel",
    "of_file",
    "processes_for",
    "read",
    "require_framewise",
    "scalogram",
    "sliding",
]
