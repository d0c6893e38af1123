"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How fast a property is checked is the machine's affair: no test may fail because others run.
settings.register_profile("tabuah", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tabuah")
