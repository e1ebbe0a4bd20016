"""Where sound comes from as it comes: a microphone, or a recording at real speed."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soxr

from kerasnas.errors import KerasnasError
from kerasnas.features.audio import Waveform, blocks

_BLOCK_SECONDS = 0.02
_GONE_SECONDS = 5.0
"""Without a block for so long, a microphone is gone: some systems do not tell."""
_DEVICES = "`python -m sounddevice` lists the microphones that there are; choose one by --device"

Clock = Callable[[], float]


class Block(NamedTuple):
    """Sound that has come.

    Attributes:
        samples: float32 `(samples, channels)`.
        arrived: When its last sample was there, seconds of a clock.
        lost: Whether sound before it was lost, since the machine was too slow to take it.
    """

    samples: Waveform
    arrived: float
    lost: bool = False


def of_recording(
    path: Path,
    sample_rate: int,
    channels: int,
    *,
    fast: bool = False,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Block]:
    """Yield a recording as a microphone would hear it.

    Args:
        path: The recording.
        sample_rate: Hz to resample it to.
        channels: As for `kerasnas.features.audio.read`.
        fast: Whether all of it is there at once, instead of at real speed.
        clock: Tells seconds.
        sleep: Waits for seconds.

    Raises:
        KerasnasError: As from `kerasnas.features.audio.blocks`.
    """
    size = max(1, round(_BLOCK_SECONDS * sample_rate))
    begun, heard = clock(), 0
    for block in blocks(path, sample_rate, channels):
        for first in range(0, len(block), size):
            samples = block[first : first + size]
            heard += len(samples)
            arrived = begun + heard / sample_rate
            if fast:
                arrived = clock()
            elif arrived > clock():
                sleep(arrived - clock())
            yield Block(samples, arrived)


def of_microphone(
    sample_rate: int,
    channels: int,
    device: int | str | None = None,
    *,
    clock: Clock = time.monotonic,
    patience: float = _GONE_SECONDS,
) -> Iterator[Block]:
    """Yield what a microphone hears, until it goes away.

    Args:
        sample_rate: Hz; a microphone of another rate is resampled.
        channels: That it must have.
        device: Number of the microphone, or a part of its name; the system's own by default.
        clock: Tells seconds.
        patience: Seconds without sound, not even silence, after which it counts as gone.

    Raises:
        KerasnasError: sounddevice or PortAudio is missing, there is no such microphone, or it went
            away.
    """
    sounddevice = _sounddevice()
    name = "the microphone" if device is None else f"the microphone {device!r}"
    arriving: queue.SimpleQueue[Block | None] = queue.SimpleQueue()

    def take(samples: Any, count: int, times: Any, status: Any) -> None:
        arriving.put(Block(np.array(samples, np.float32), clock(), bool(status.input_overflow)))

    try:
        rate = _rate(sounddevice, sample_rate, channels, device)
        resampler = None
        if rate != sample_rate:
            resampler = soxr.ResampleStream(rate, sample_rate, channels, dtype="float32")
        stream = sounddevice.InputStream(
            samplerate=rate,
            channels=channels,
            device=device,
            dtype="float32",
            blocksize=max(1, round(_BLOCK_SECONDS * rate)),
            callback=take,
            finished_callback=lambda: arriving.put(None),
        )
        with stream:
            while (block := _next(arriving, patience)) is not None:
                if resampler is not None:
                    block = block._replace(samples=resampler.resample_chunk(block.samples))
                yield block
    except (sounddevice.PortAudioError, ValueError) as error:
        raise KerasnasError(f"{name} cannot be used ({error}): {_DEVICES}") from None
    raise KerasnasError(f"{name} has gone away: plug it in, and listen again; {_DEVICES}")


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError:
        raise KerasnasError(
            "a microphone needs sounddevice: pip install 'kerasnas[listen]', or give a recording "
            "by --recording"
        ) from None
    except OSError as error:  # it is there, and the library that it loads is not
        raise KerasnasError(
            f"sounddevice cannot load PortAudio ({error}): install it (Debian and Ubuntu: apt "
            "install libportaudio2), or give a recording by --recording"
        ) from None
    return sounddevice


def _rate(sounddevice: Any, sample_rate: int, channels: int, device: int | str | None) -> int:
    """Return the rate to open a microphone at: the one that is wanted, or else its own."""
    try:
        sounddevice.check_input_settings(device, channels, "float32", samplerate=sample_rate)
    except sounddevice.PortAudioError:
        return round(sounddevice.query_devices(device, "input")["default_samplerate"])
    return sample_rate


def _next(arriving: queue.SimpleQueue[Block | None], patience: float) -> Block | None:
    try:
        return arriving.get(timeout=patience)
    except queue.Empty:
        return None
