"""Sounds of a home, made of formants, noise, impacts, tones and hum.

Each function takes a random generator, a number of samples and a sample rate, and returns float64
`(samples,)` at any level. They are caricatures: what makes the classes different is in them
(pitch, formants, spectrum, decay, rhythm), every draw varies it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

Signal = NDArray[np.float64]
VOWELS = np.array(  # formants of a, e, i, o, u: Peterson and Barney 1952, men, rounded, Hz
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240]]
)


def coloured_noise(rng: Generator, samples: int, slope: float) -> Signal:
    """Noise whose power falls by 3 dB an octave times `slope`: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    spectrum *= np.maximum(np.arange(len(spectrum)), 1) ** (-slope / 2)
    return np.fft.irfft(spectrum, samples)


def room(rng: Generator, sound: Signal, rate: int) -> Signal:
    """`sound` in a room: reverberation of 0.1 to 0.5 s, and a gentle random tilt."""
    length = int(rng.uniform(0.1, 0.5) * rate)
    tail = rng.standard_normal(length) * np.exp(-6.9 * np.arange(length) / length)
    tail *= rng.uniform(0.02, 0.3) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    wet = fftconvolve(sound, tail)[: len(sound)]
    return np.asarray(lfilter([1.0, -rng.uniform(-0.6, 0.6)], [1.0], wet))


def speech(rng: Generator, samples: int, rate: int) -> Signal:
    """Syllables: a buzz with a pitch contour through three formants, with some fricatives."""
    pitch = rng.choice([110, 210, 320]) * rng.uniform(0.8, 1.25)
    stretch = 1 + 0.15 * (pitch > 170) + 0.15 * (pitch > 270)  # shorter throats, higher formants
    sound = np.zeros(samples)
    start = int(rng.uniform(0, 0.15) * rate)
    while start < samples:
        length = min(int(rng.uniform(0.1, 0.28) * rate), samples - start)
        contour = pitch * np.linspace(rng.uniform(0.9, 1.3), rng.uniform(0.75, 1.1), length)
        buzz = 2 * (np.cumsum(contour) / rate % 1) - 1
        if rng.random() < 0.2:
            syllable = _band(rng.standard_normal(length), rate, 2500, 7000)
        else:
            syllable = buzz + 0.05 * rng.standard_normal(length)
            for formant in VOWELS[rng.integers(len(VOWELS))] * stretch * rng.uniform(0.92, 1.08, 3):
                syllable = _resonance(syllable, rate, formant, 60 + 0.06 * formant)
        syllable *= np.hanning(length) / (np.abs(syllable).max() + 1e-9) * rng.uniform(0.4, 1)
        sound[start : start + length] += syllable
        start += int(length * rng.uniform(0.7, 1.0)) + int(rng.random() < 0.2) * rate // 8 + 1
    return sound


def music(rng: Generator, samples: int, rate: int) -> Signal:
    """Return notes of a scale, with a few harmonics and a decay, sometimes two at once."""
    sound = np.zeros(samples)
    root = 220 * 2 ** (rng.uniform(-12, 12) / 12)
    beat = int(rng.uniform(0.15, 0.4) * rate)
    for start in range(0, samples, beat):
        for _ in range(rng.integers(1, 4)):
            pitch = root * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
            time = _time(min(samples - start, 3 * beat), rate)
            note = _harmonics(2 * np.pi * pitch * time, rng.uniform(0.3, 1, 6) / np.arange(1, 7))
            sound[start : start + len(time)] += note * np.exp(-time * rng.uniform(9, 30))
    return sound


def alarm(rng: Generator, samples: int, rate: int) -> Signal:
    """Beeps of a timer or smoke detector: one or two steady tones, switched on and off."""
    tones = rng.uniform(700, 3600) * np.array([1.0, rng.choice([1.0, 1.25, 0.8])])
    period = rng.uniform(0.15, 0.6)
    time = np.arange(samples) / rate + rng.uniform(0, period)
    on = (time % period) < period * rng.uniform(0.35, 0.7)
    tone = np.where((time // period) % 2 < 1, tones[0], tones[1])
    phase = 2 * np.pi * np.cumsum(tone) / rate
    wave = np.sin(phase) + rng.uniform(0, 0.4) * np.sin(3 * phase)
    return np.asarray(wave * np.convolve(on, np.hanning(81) / 40, "same"))


def appliance_hum(rng: Generator, samples: int, rate: int) -> Signal:
    """Return a refrigerator or transformer: harmonics of the mains, over brown noise."""
    mains = rng.choice([50.0, 60.0]) * rng.uniform(0.99, 1.01)
    weights = rng.uniform(0, 1, 15) / np.arange(1, 16) ** rng.uniform(0.3, 1.2)
    turns = np.exp(2j * np.pi * rng.random(15))
    hum = _harmonics(2 * np.pi * mains * _time(samples, rate), weights * turns)
    swell = 1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.5, 4) * _time(samples, rate))
    return np.asarray(hum * swell + _level(coloured_noise(rng, samples, 2.0), 0.4))


def vacuum_cleaner(rng: Generator, samples: int, rate: int) -> Signal:
    """Broad steady noise with the whine of a motor."""
    noise = _band(rng.standard_normal(samples), rate, rng.uniform(100, 400), rng.uniform(3e3, 6e3))
    speed = rng.uniform(180, 500) * (1 + 0.02 * np.cumsum(rng.standard_normal(samples)) / rate)
    weights = np.arange(1, 7) ** -rng.uniform(0.2, 1.5, 6)
    whine = _harmonics(2 * np.pi * np.cumsum(speed) / rate, weights)
    return _level(noise, 1.0) + _level(whine, rng.uniform(0.2, 0.7))


def running_water(rng: Generator, samples: int, rate: int) -> Signal:
    """Return a tap: unsteady high noise, with bubbles that chirp upwards."""
    noise = _band(rng.standard_normal(samples), rate, rng.uniform(300, 1200), 0.45 * rate)
    flow = 1 + 0.4 * _level(_low(rng.standard_normal(samples), rate, 12), 1.0)
    sound = _level(noise * flow, 1.0)
    length = int(0.03 * rate)
    time = np.arange(length) / rate
    for start in rng.integers(0, max(1, samples - length), int(samples / rate * 25)):
        frequency = rng.uniform(400, 1800)
        chirp = np.sin(2 * np.pi * (frequency * time + 8 * frequency * time**2))
        end = min(samples, start + length)
        sound[start:end] += (rng.uniform(0.5, 2.5) * chirp * np.exp(-time * 140))[: end - start]
    return sound


def frying(rng: Generator, samples: int, rate: int) -> Signal:
    """Crackles at random moments over a faint hiss."""
    clicks = np.zeros(samples)
    moments = rng.integers(0, samples, int(samples / rate * rng.uniform(40, 200)))
    clicks[moments] = rng.lognormal(0, 1, len(moments)) * rng.choice([-1, 1], len(moments))
    crackle = _resonance(clicks, rate, rng.uniform(1500, 5000), rng.uniform(600, 2500))
    hiss = _band(rng.standard_normal(samples), rate, 2000, 0.45 * rate)
    return _level(crackle, 1.0) + _level(hiss, rng.uniform(0.15, 0.6))


def dishes(rng: Generator, samples: int, rate: int) -> Signal:
    """Plates and cutlery: irregular strikes of bright, inharmonic, ringing modes."""
    sound = np.zeros(samples)
    for start in rng.integers(0, samples, max(2, int(samples / rate * rng.uniform(2, 6)))):
        frequencies = rng.uniform(1200, 7000, 7)
        _strike(sound, start, rate, frequencies, rng.uniform(0.2, 1, 7), rng.uniform(0.04, 0.3, 7))
    return sound


def door_knock(rng: Generator, samples: int, rate: int) -> Signal:
    """Regular dull strikes: low modes that die at once."""
    sound = np.zeros(samples)
    start = int(rng.uniform(0, 0.3) * rate)
    frequencies = rng.uniform(90, 700, 5)
    decays = rng.uniform(0.02, 0.08, 5)
    while start < samples:
        _strike(sound, start, rate, frequencies, rng.uniform(0.5, 1, 5), decays)
        start += int(rng.uniform(0.15, 0.22) * rate) if rng.random() < 0.8 else rate // 2
    return sound


def dog_bark(rng: Generator, samples: int, rate: int) -> Signal:
    """Short harsh bursts whose pitch rises and falls, through a wide open mouth."""
    sound = np.zeros(samples)
    pitch = rng.uniform(250, 700)
    start = int(rng.uniform(0, 0.4) * rate)
    while start < samples:
        length = min(int(rng.uniform(0.1, 0.2) * rate), samples - start)
        contour = pitch * (1 + 0.35 * np.sin(np.pi * np.linspace(0, 1, length)))
        burst = 2 * (np.cumsum(contour) / rate % 1) - 1 + 0.5 * rng.standard_normal(length)
        burst = _resonance(burst, rate, rng.uniform(700, 1300), 500)
        sound[start : start + length] += burst * np.hanning(length) / (np.abs(burst).max() + 1e-9)
        start += length + int(rng.uniform(0.1, 0.6) * rate)
    return sound


SOUNDS: dict[str, Callable[[Generator, int, int], Signal]] = {
    "alarm": alarm,
    "appliance_hum": appliance_hum,
    "dishes": dishes,
    "dog_bark": dog_bark,
    "door_knock": door_knock,
    "frying": frying,
    "music": music,
    "running_water": running_water,
    "speech": speech,
    "vacuum_cleaner": vacuum_cleaner,
}


def _time(samples: int, rate: int) -> Signal:
    return np.arange(samples) / rate


def _harmonics(phase: Signal, weights: NDArray[Any]) -> Signal:
    """Return a sum of sines at 1, 2, 3 ... times `phase`; complex weights turn their phases."""
    return np.asarray(np.polyval([*weights[::-1], 0], np.exp(1j * phase)).imag)


def _level(sound: Signal, level: float) -> Signal:
    return np.asarray(sound * (level / (np.sqrt(np.mean(sound**2)) + 1e-12)))


def _band(sound: Signal, rate: int, low: float, high: float) -> Signal:
    edges = [min(low, 0.3 * rate), min(high, 0.45 * rate)]
    return np.asarray(sosfilt(butter(2, edges, "bandpass", fs=rate, output="sos"), sound))


def _low(sound: Signal, rate: int, high: float) -> Signal:
    return np.asarray(sosfilt(butter(2, high, fs=rate, output="sos"), sound))


def _resonance(sound: Signal, rate: int, frequency: float, width: float) -> Signal:
    """Return a two-pole resonance at `frequency`, `width` Hz wide."""
    radius = np.exp(-np.pi * width / rate)
    angle = 2 * np.pi * min(frequency, 0.45 * rate) / rate
    poles = [1.0, -2 * radius * np.cos(angle), radius**2]
    return np.asarray(lfilter([1 - radius], poles, sound))


def _strike(
    sound: Signal, start: int, rate: int, frequencies: Signal, weights: Signal, decays: Signal
) -> None:
    """Add modes that decay by 60 dB within `decays` seconds to `sound`, from sample `start`."""
    length = min(len(sound) - start, int(decays.max() * rate) + 1)
    time = _time(length, rate)
    audible = frequencies < 0.45 * rate
    modes = np.sin(2 * np.pi * frequencies[audible, None] * time)
    modes *= np.exp(-6.9 * time / decays[audible, None])
    sound[start : start + length] += weights[audible] @ modes
