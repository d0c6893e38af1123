"""Enrols simulated offices, and makes them and their boots."""

from __future__ import annotations

import random
import secrets
import time
from typing import TYPE_CHECKING, Final

from collector import drill, enrolled
from collector.keys import site_key, user_name
from collector.simulation.office import BOOTED_S, Boot, Office
from tabuah.snmp.usm import Auth, UsmUser

if TYPE_CHECKING:
    from pathlib import Path

    from collector.identity import Identity
    from collector.simulation.plan import Plan

DARK_S: Final = 60.0
"""How long the power was away when a run begins with its return."""


def offices(data: Path, identity: Identity, sites: int, plan: Plan) -> list[Office]:
    """Enrol so many offices in a collector's data folder, in one write, and return them.

    Raises:
        TabuahError: the folder's files are damaged, or cannot be read or written.
    """
    generations = enrolled.enrol(data, [drill.code(number) for number in range(1, sites + 1)])
    dice = random.Random()  # noqa: S311 - when they begin, no keys
    made = []
    now = time.monotonic()
    for number, (site, generation) in enumerate(generations.items()):
        ku = site_key(identity.master, site, generation)
        name = user_name(site, generation)
        user = UsmUser.from_ku(name, Auth.SHA256_192, ku, ku, identity.engine_id)
        past_s = plan.backlog * plan.interval_s + (DARK_S if plan.all_at_once else 0.0)
        began = now - past_s
        office = Office(
            *(number, site, user, new_boot(plan, number, began)),
            interval_s=plan.interval_s,
            draw=dice.random(),
        )
        office.fill(plan.backlog, began)
        if plan.all_at_once:
            office.boot(new_boot(plan, number, now, dark=True))
        made.append(office)
    return made


def new_boot(plan: Plan, number: int, now: float, *, dark: bool = False) -> Boot:
    """Return the boot of an office that is ready to report at `now`, its clock as the plan says.

    `dark`: the power was away before.
    """
    began = now - BOOTED_S
    fault = plan.clock_of(number)
    if fault is not None and fault.ahead_s is None:
        ahead_s = -began  # the machine has no battery, and 1970 began with it
    else:
        ahead_s = time.time() - time.monotonic() + (fault.ahead_s or 0.0 if fault else 0.0)
    return Boot(secrets.token_bytes(16), secrets.randbits(64), began, ahead_s, dark)


def another(office: Office, plan: Plan) -> Office:
    """Return an office with the same keys, to try things with."""
    boot = new_boot(plan, office.number, time.monotonic())
    return Office(
        *(office.number, office.site, office.user, boot), interval_s=plan.interval_s, draw=0.0
    )
