"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# CI tries the same examples each time, so that what it says is about the change; a person's runs
# go on looking for new ones. How fast a property is checked is the machine's affair: no test may
# fail because others run.
settings.register_profile(
    "tabuah",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tabuah")
