"""Platforms that are read and not pushed to: what shows all that they run, and its noise. Pure.

A configuration of a console is one text. A template writes lines of it, indented as the device
shows them: a block stands in place of the device's block of the same head, a line beside the others
and `no LINE` (`undo`, `delete`) takes one away. What no template names stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_REFUSED = (
    r"^(?:% ?[A-Z].*|Error: .*|.*[Uu]nknown command.*|.*[Ii]nvalid input.*|syntax error.*|\s*\^$)"
)
_TAKES_AWAY = ("no ", "undo ", "delete ", "unset ")


@dataclass(frozen=True, slots=True)
class Shows:
    """How a platform shows what it runs."""

    command: str
    noise: str = r"$."
    """Lines that say when, by whom or how long, and would look like a change."""
    refused: str = _REFUSED
    """What it says to a command that it does not take."""


_CISCO = Shows(
    "show running-config",
    r"Building configuration|Current configuration|! (?:Last|NVRAM|No) conf|!Time:|!Command:|"
    r"!Running configuration last|ntp clock-period|: (?:Saved|Serial|Hardware|Written by)|!! ",
)
_HUAWEI = Shows("display current-configuration", r"!|#Last|Software Version V")
_JUNOS = Shows("show configuration | display set | no-more", r"## |set version ")
_SET = Shows("show configuration commands", r"// ")

SHOWS: Mapping[str, Shows] = {
    **dict.fromkeys(
        (
            *("cisco_ios", "cisco_xe", "cisco_xr", "cisco_nxos", "cisco_asa", "arista_eos"),
            *("aruba_os", "aruba_osswitch", "aruba_procurve", "aruba_aoscx", "hp_procurve"),
            *("dell_os6", "dell_os9", "dell_os10", "ruijie_os", "zte_zxros", "raisecom_ros"),
            *("raisecom_roap", "brocade_fastiron", "ruckus_fastiron", "fiberstore_fsos"),
            *("fiberstore_fsosv2", "ubiquiti_edgeswitch", "tplink_jetstream", "maipu"),
            *("allied_telesis_awplus", "ipinfusion_ocnos", "centec_os", "eltex_esr"),
        ),
        _CISCO,
    ),
    **dict.fromkeys(
        ("huawei", "huawei_vrp", "huawei_vrpv8", "hp_comware", "h3c_comware", "huawei_smartax"),
        _HUAWEI,
    ),
    **dict.fromkeys(("juniper", "juniper_junos"), _JUNOS),
    **dict.fromkeys(("vyos", "vyatta_vyos", "ubiquiti_edge", "ubiquiti_edgerouter"), _SET),
    "fortinet": Shows("show full-configuration", r"#(?:config-version|conf_file_ver|buildno)"),
    "dlink_ds": Shows("show config current_config", r"#"),
    "nokia_sros": Shows("admin display-config", r"# (?:Generated|Finished)|# TiMOS"),
    "extreme_exos": Shows("show configuration", r"# "),
    "zyxel_os": Shows("show running-config", r"! "),
    "mikrotik_switchos": Shows("/export", r"# "),
}
"""By netmiko's names. None of them is proven on hardware; `cisco_ios` is tried on a simulator."""

WHY_NOT: Mapping[str, str] = {
    "cisco_ios": "its 'configure terminal revert timer' is not driven here",
    "cisco_xe": "its 'configure terminal revert timer' is not driven here",
    "huawei_vrpv8": "its 'commit trial' is not driven here",
    "huawei_vrp": "VRP 5 cannot undo a change but by a reboot",
    "juniper_junos": "its 'commit confirmed' is not driven here",
    "juniper": "its 'commit confirmed' is not driven here",
}


def tidy(text: str, shows: Shows) -> str:
    """Return what a device showed without its noise, its line ends and its trailing blanks."""
    noise = re.compile(shows.noise)
    lines = (line.rstrip() for line in text.replace("\r", "").splitlines())
    return "".join(f"{line}\n" for line in lines if line.strip(" !#") and not noise.match(line))


def merged(running: str, wanted: str) -> str:
    """Return what would run after the lines of `wanted` were entered, as far as their words say."""
    blocks = _blocks(running)
    for head, inner in _blocks(wanted).items():
        taken = next((head[len(word) :] for word in _TAKES_AWAY if head.startswith(word)), None)
        if taken is not None:
            blocks.pop(taken, None)
            blocks.pop(f"set {taken}", None)
        else:
            blocks[head] = inner
    return "".join(f"{line}\n" for head, inner in blocks.items() for line in (head, *inner))


def _blocks(text: str) -> dict[str, list[str]]:
    """Return each line that is not indented with those that are indented under it."""
    found: dict[str, list[str]] = {}
    inner: list[str] = []
    for line in text.splitlines():
        if not line.strip(" !#"):
            continue
        if line[0].isspace():
            inner.append(line.rstrip())
        else:
            inner = found.setdefault(line.rstrip(), [])
    return found
