"""What a line or a gateway drops, as text for `nft -f`: pure, one table an office.

Each text replaces its whole table in one transaction, so that a change of mind never leaves
a moment with no rules or with both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """What the telco's router does to one office's packets."""

    black_hole: bool = False
    """All is dropped, both ways; the carrier stays up."""
    loss_up_percent: int = 0
    """Of the packets from the office, independently of each other."""
    loss_down_percent: int = 0


def line_table(interface: str, line: Line) -> str:
    """Return the router's table for the office that is behind `interface`."""
    up = _drop(line.black_hole, line.loss_up_percent)
    down = _drop(line.black_hole, line.loss_down_percent)
    return _replace(
        f"inet line_{interface}",
        f"""
        chain up {{
            type filter hook prerouting priority raw
            {_rule(f'iifname "{interface}"', up)}
        }}
        chain down {{
            type filter hook postrouting priority raw
            {_rule(f'oifname "{interface}"', down)}
        }}
        """,
    )


def nat_table(wan: str) -> str:
    """Return a gateway's masquerading: the offices' LANs all use the same addresses."""
    return _replace(
        "ip nat",
        f"""
        chain out {{
            type nat hook postrouting priority srcnat
            oifname "{wan}" masquerade
        }}
        """,
    )


def only_reports_table(lan: str, wan: str, port: int | None) -> str:
    """Return a gateway's table that lets UDP to and from the collector's `port` pass, nothing else.

    The gateway itself, its snmpd and all that is behind it fall silent to the office's host.
    With `port` None everything passes.
    """
    from_host = "" if port is None else f'iifname "{lan}" udp dport != {port} drop'
    from_line = "" if port is None else f'iifname "{wan}" udp sport != {port} drop'
    others = "" if port is None else f'iifname {{ "{lan}", "{wan}" }} meta l4proto != udp drop'
    return _replace(
        "ip only_reports",
        f"""
        chain before {{
            type filter hook prerouting priority raw
            {from_host}
            {from_line}
            {others}
        }}
        """,
    )


def beyond_table(interface: str, *, dead: bool) -> str:
    """Return the router's table under which an office reaches the router and nothing beyond."""
    return _replace(
        f"inet beyond_{interface}",
        f"""
        chain through {{
            type filter hook forward priority filter
            {_rule(f'iifname "{interface}"', "drop" if dead else "")}
            {_rule(f'oifname "{interface}"', "drop" if dead else "")}
        }}
        """,
    )


def resolvers_table(interface: str, *, dead: bool) -> str:
    """Return the router's table under which no resolver answers an office."""
    return _replace(
        f"inet resolvers_{interface}",
        f"""
        chain up {{
            type filter hook prerouting priority raw
            {_rule(f'iifname "{interface}" udp dport 53', "drop" if dead else "")}
        }}
        """,
    )


def dead_table(*, dead: bool) -> str:
    """Return a router's table under which it neither forwards nor answers nor asks."""
    return _replace(
        "inet dead",
        f"""
        chain in {{
            type filter hook prerouting priority raw
            {"drop" if dead else ""}
        }}
        chain out {{
            type filter hook output priority raw
            {"drop" if dead else ""}
        }}
        """,
    )


def reports_counter_table(wan: str, port: int) -> str:
    """Return a gateway's table that counts the IP octets of reports, and of their answers.

    They are counted as they leave and as they come: what the line loses of answers is not.
    """
    return _replace(
        "inet reports",
        f"""
        counter up {{ }}
        counter down {{ }}
        chain out {{
            type filter hook postrouting priority raw
            oifname "{wan}" udp dport {port} counter name up
        }}
        chain in {{
            type filter hook prerouting priority raw
            iifname "{wan}" udp sport {port} counter name down
        }}
        """,
    )


def _drop(black_hole: bool, percent: int) -> str:
    if black_hole or percent >= 100:
        return "drop"
    return f"numgen random mod 100 < {percent} drop" if percent else ""


def _rule(match: str, verdict: str) -> str:
    return f"{match} {verdict}" if verdict else ""


def _replace(table: str, body: str) -> str:
    # Deleting a table that is not there is an error; declaring it first makes it be there.
    return f"table {table}\ndelete table {table}\ntable {table} {{{body}}}\n"
