"""How many traps are looked at: what a trap costs its sender nothing may cost us little. Pure.

Three ways in, so that a flood on one leaves the others free: signed traps, traps from addresses
that the inventory knows, and all others. On each there is a ration for one source and for all.
A source's address is anyone's word; so is that a trap is signed, until its digest is computed,
which is cheap: that way is wide, and what was proved has a ration by user.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tabuah.snmp.policer import Policer, Rate

if TYPE_CHECKING:
    from collections.abc import Collection

# A switch that is switched on says linkUp of each of its ports: 52 at once are no flood.
EACH = Rate(per_second=2, burst=60)


@dataclass(slots=True)
class Rations:
    """The rations of one listener; times are monotonic seconds."""

    known: Collection[str] = ()
    """Addresses that the inventory names."""
    signed: Policer = field(
        default_factory=lambda: Policer(Rate(50, 200), Rate(per_second=500, burst=1000))
    )
    users: Policer = field(default_factory=lambda: Policer(EACH, Rate(per_second=30, burst=200)))
    ours: Policer = field(default_factory=lambda: Policer(EACH, Rate(per_second=30, burst=200)))
    others: Policer = field(
        default_factory=lambda: Policer(Rate(1, 20), Rate(per_second=10, burst=100))
    )

    def allows(self, source: str, now: float, *, v3: bool) -> bool:
        """Return whether a datagram from that address is to be looked at."""
        if v3:
            return self.signed.allows(source, now)
        return (self.ours if source in self.known else self.others).allows(source, now)

    def allows_user(self, user: str, now: float) -> bool:
        """Return whether a signed trap of that user is to be read."""
        return self.users.allows(user, now)
