import pytest

from kerasnas.report.html import formats

SPACE = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formats.percent(0.9355), "93.5 %"),
        (formats.percent(0.55, None), "55 %"),
        (formats.percent(0.525, None), "52.5 %"),
        (formats.percent(None), "–"),
        (formats.metric("val_accuracy", 0.5), "50.0 %"),
        (formats.metric("mean_average_precision", 0.87654), "0.877"),
        (formats.metric("loss", None), "–"),
        (formats.count(1234567), "1 234 567"),
        (formats.kilobytes(499_960), "500.0 kB"),
        (formats.millions(31_650_000), "31.6 M"),
        (formats.millions(333_280), "333 280"),
        (formats.duration(3.25), "3.2 s"),
        (formats.duration(99), "99 s"),
        (formats.duration(100), "2 min"),
        (formats.duration(7505), "2 h 05 min"),
        (formats.mean_and_deviation("accuracy", [0.5, 0.7]), "60.0 ± 14.1 %"),
        (formats.mean_and_deviation("accuracy", [0.5]), "50.0 %"),
        (formats.mean_and_deviation("bytes", [100_000, 104_000]), "102.0 ± 2.8 kB"),
    ],
)
def test_numbers_as_printed(text, expected):
    assert text.replace(SPACE, " ") == expected
