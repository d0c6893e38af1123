"""Whether counts of lost packets agree with the loss that was set."""

from __future__ import annotations

from math import sqrt


def sigmas(hits: int, trials: int, p: float) -> float:
    """Return how many binomial standard deviations `hits` of `trials` are from p * trials."""
    return abs(hits - p * trials) / sqrt(trials * p * (1 - p))
