"""Announced work that people entered: once, or again and again, ended where they ended it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from collector.judgement.evidence import Window
from collector.judgement.record import Act, Said


@dataclass(frozen=True, slots=True)
class Plan:
    """One entry of announced work."""

    id: str
    window: Window
    """The first time."""
    by: str
    every_ms: int | None = None
    """How long after its begin it comes again; None = once."""
    ended_ms: int | None = None
    """When a person ended it."""

    def windows(self, until_ms: int) -> Iterator[Window]:
        """Yield its windows that begin before `until_ms`, cut off where it was ended."""
        nth = 0
        while True:
            moved = nth * (self.every_ms or 0)
            one = replace(
                self.window,
                begins_ms=self.window.begins_ms + moved,
                ends_ms=self.window.ends_ms + moved,
            )
            if self.ended_ms is not None:
                one = replace(one, ends_ms=min(one.ends_ms, self.ended_ms))
            if one.begins_ms >= one.ends_ms or (nth and one.begins_ms >= until_ms):
                return
            yield one
            if self.every_ms is None:
                return
            nth += 1

    def over(self, now_ms: int) -> bool:
        """Return whether it touches nothing from now on."""
        if self.ended_ms is not None and self.ended_ms <= now_ms:
            return True
        return self.every_ms is None and self.window.ends_ms <= now_ms


def plans(said: Iterable[Said]) -> list[Plan]:
    """Return the announced work among what people said, in order of entering."""
    found: dict[str, Plan] = {}
    for one in said:
        if one.act is Act.MAINTENANCE and one.until_ms is not None:
            window = Window(
                frozenset(one.sites), one.at_ms, one.until_ms, one.text, frozenset(one.circuits)
            )
            found[one.about] = Plan(one.about, window, one.by, one.every_ms)
        elif one.act is Act.MAINTENANCE_ENDED and one.about in found:
            found[one.about] = replace(found[one.about], ended_ms=one.at_ms)
    return list(found.values())


def entered_windows(said: Iterable[Said], until_ms: int) -> list[Window]:
    """Return all windows of entered work that begin before `until_ms`, and each first one."""
    return [window for plan in plans(said) for window in plan.windows(until_ms)]
