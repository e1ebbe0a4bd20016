"""How much Hypothesis tries: little by day, about a minute for each test at night."""

from hypothesis import HealthCheck, settings

FACTOR = {"night": 1.0}
"""What the examples of a night are multiplied by; `pytest --nightly --effort N` sets it."""


def effort(day: int, night: int, steps: int = 50) -> settings:
    """Return settings by which so many examples are tried, by day and at night.

    Args:
        day: Examples in every run.
        night: Examples of `make nightly`.
        steps: Of an example that is a sequence of calls, at most.
    """
    at_night = settings.get_current_profile_name() == "night"
    count = max(1, round(FACTOR["night"] * night)) if at_night else day
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
