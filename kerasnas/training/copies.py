"""The versions of recordings that a recipe trains on, beside the recordings as they are."""

from __future__ import annotations

from kerasnas.features.versions import Version
from kerasnas.training.recipe import Augmentation


def versions(settings: Augmentation) -> tuple[Version, ...]:
    """Return the versions at other speeds and in rooms."""
    speeds = tuple(Version(speed=speed) for speed in settings.speeds)
    rooms = settings.rooms
    if rooms is None:
        return speeds
    numbers = range(rooms.versions)
    return speeds + tuple(
        Version(rooms=rooms.folder, seed=rooms.seed, number=number) for number in numbers
    )


def noisy_versions(settings: Augmentation) -> tuple[Version, ...]:
    """Return the versions in noise, which covers the padding of clips."""
    noise = settings.noise
    if noise is None:
        return ()
    return tuple(
        Version(noise=noise.folder, snr=noise.snr, seed=noise.seed, number=number)
        for number in range(noise.versions)
    )
