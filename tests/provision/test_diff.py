"""Two configurations compared: what makes no difference, and how a difference is shown."""

from __future__ import annotations

from provision.configuration import normal_section, same
from provision.diff import as_json, as_text, compare


def test_order_and_comments_that_mean_nothing_make_no_difference() -> None:
    assert same({"ip": "a 1\nb  2\n"}, {"ip": "# said\nb 2\na 1\n"})
    assert not same({"nftables": "a\nb\n"}, {"nftables": "b\na\n"})
    running = (
        "!\nfrr version 8.4.4\nhostname x\n!\ninterface eth0\nexit\n!\n"
        "ip route 10.1.0.0/16 Null0\nip route 10.0.0.0/8 Null0\n!\n"
        "router ospf\n network 10.0.0.0/8 area 0\nexit\n!\nend\n"
    )
    wanted = (
        "router ospf\n network 10.0.0.0/8 area 0\nip route 10.0.0.0/8 Null0\n"
        "ip route 10.1.0.0/16 Null0\n"
    )
    assert same({"frr": running}, {"frr": wanted})
    assert normal_section("frr", wanted)[-2:] == ("router ospf", " network 10.0.0.0/8 area 0")


def test_a_difference_is_shown_to_people_and_to_programs() -> None:
    found = compare({"ip": "mtu wan0 1500\n"}, {"ip": "mtu wan0 1492\n", "sysctl": ""})
    assert as_json(found) == [
        {"section": "ip", "removed": ["mtu wan0 1500"], "added": ["mtu wan0 1492"]}
    ]
    assert as_text(found, colour=False).splitlines() == [
        "## ip", "@@ -1 +1 @@", "-mtu wan0 1500", "+mtu wan0 1492",
    ]  # fmt: skip
    assert "\x1b[31m-mtu" in as_text(found, colour=True)
