"""Enrols simulated offices, and makes them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from collector import enrolled
from collector.identity import Identity
from collector.keys import site_key, user_name
from collector.simulation.office import Office
from tabuah.snmp.client import UsmClient
from tabuah.snmp.usm import Auth, UsmUser

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "sim-"
MOST = 99_999


def codes(sites: int) -> list[str]:
    """Return the codes of so many simulated offices: sim-00001 and so on."""
    return [f"{PREFIX}{number:05}" for number in range(1, sites + 1)]


def offices(
    data: Path, sites: int, *, interval_s: float, backlog: int, skew_s: float
) -> list[Office]:
    """Enrol so many offices in a collector's data folder, in one write, and return them.

    Args:
        data: the folder.
        sites: how many.
        interval_s: between an office's reports.
        backlog: reports in each one's spool, that tell of the past.
        skew_s: how far their clocks are ahead.

    Raises:
        TabuahError: the folder's files are damaged, or cannot be read or written.
    """
    identity = Identity.open(data)
    generations = enrolled.enrol(data, codes(sites))
    began = time.monotonic() - backlog * interval_s
    ahead_s = time.time() - time.monotonic() + skew_s
    made = []
    for site, generation in generations.items():
        ku = site_key(identity.master, site, generation)
        who = (user_name(site, generation), Auth.SHA256_192, ku, ku, identity.engine_id)
        client, user = UsmClient(*who, short_ids=True), UsmUser.from_ku(*who)
        clocks = {"interval_s": interval_s, "began": began, "wall_ahead_s": ahead_s}
        made.append(Office(site, client, user, **clocks))
    return made
