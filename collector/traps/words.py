"""What well-known traps say, in plain words. Pure.

SNMPv2-MIB (RFC 3418), IF-MIB (RFC 2863), UPS-MIB (RFC 1628), NET-SNMP-AGENT-MIB. A v1 trap of an
enterprise has a 0 before its number (RFC 3584 section 3.1), which UPS-MIB's own names have not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collector.traps.trap import Trap

LINK_DOWN: Final = "1.3.6.1.6.3.1.1.5.3"
LINK_UP: Final = "1.3.6.1.6.3.1.1.5.4"
UPS_ON_BATTERY: Final = frozenset({"1.3.6.1.2.1.33.2.1", "1.3.6.1.2.1.33.2.0.1"})

_UPS: Final = "1.3.6.1.2.1.33"
NAMES: Final = {
    "1.3.6.1.6.3.1.1.5.1": ("coldStart", "it was switched on"),
    "1.3.6.1.6.3.1.1.5.2": ("warmStart", "it began anew"),
    LINK_DOWN: ("linkDown", "an interface went down"),
    LINK_UP: ("linkUp", "an interface came up"),
    "1.3.6.1.6.3.1.1.5.5": ("authenticationFailure", "someone asked it with a wrong password"),
    "1.3.6.1.6.3.1.1.5.6": ("egpNeighborLoss", "a routing neighbour was lost"),
    **{
        f"{_UPS}.2.{zero}{number}": word
        for zero in ("", "0.")
        for number, word in (
            (1, ("upsTrapOnBattery", "the UPS runs on its battery")),
            (2, ("upsTrapTestCompleted", "the UPS has tested itself")),
            (3, ("upsTrapAlarmEntryAdded", "the UPS raises an alarm")),
            (4, ("upsTrapAlarmEntryRemoved", "the UPS takes an alarm back")),
        )
    },
    "1.3.6.1.4.1.8072.4.0.1": ("nsNotifyStart", "its SNMP agent started"),
    "1.3.6.1.4.1.8072.4.0.2": ("nsNotifyShutdown", "its SNMP agent is shutting down"),
    "1.3.6.1.4.1.8072.4.0.3": ("nsNotifyRestart", "its SNMP agent restarted"),
}
"""Name and words by snmpTrapOID."""

_COLUMNS: Final = {
    "1.3.6.1.2.1.2.2.1.1.": "ifIndex",
    "1.3.6.1.2.1.2.2.1.2.": "ifDescr",
    "1.3.6.1.2.1.2.2.1.7.": "ifAdminStatus",
    "1.3.6.1.2.1.2.2.1.8.": "ifOperStatus",
    "1.3.6.1.2.1.31.1.1.1.1.": "ifName",
    "1.3.6.1.2.1.31.1.1.1.18.": "ifAlias",
    f"{_UPS}.1.2.2.": "upsSecondsOnBattery",
    f"{_UPS}.1.2.3.": "upsEstimatedMinutesRemaining",
    f"{_UPS}.1.6.2.1.1.": "upsAlarmId",
    f"{_UPS}.1.6.2.1.2.": "upsAlarmDescr",
    f"{_UPS}.1.9.7.": "upsConfigLowBattTime",
}
"""Names of variables by all but the instance."""

_STATUS: Final = {"1": "up", "2": "down", "3": "testing"}
_ALARMS: Final = (
    *("BatteryBad", "OnBattery", "LowBattery", "DepletedBattery", "TempBad", "InputBad"),
    *("OutputBad", "OutputOverload", "OnBypass", "BypassBad", "OutputOffAsRequested"),
    *("UpsOffAsRequested", "ChargerFailed", "UpsOutputOff", "UpsSystemOff", "FanFailure"),
    *("FuseFailure", "GeneralFault", "DiagnosticTestFailed", "CommunicationsLost"),
    *("AwaitingPower", "ShutdownPending", "ShutdownImminent", "TestInProgress"),
)
"""upsWellKnownAlarms (RFC 1628), from 1 on."""
_ALARM: Final = f"{_UPS}.1.6.3."


def name(oid: str) -> str:
    """Return a trap's name; its OID if it is not well known."""
    return NAMES[oid][0] if oid in NAMES else oid


def variable(oid: str, value: str) -> tuple[str, str]:
    """Return the name and value of a variable, in words as far as they are known."""
    column = oid.rpartition(".")[0]
    word = _COLUMNS.get(f"{column}.")
    if word is None:
        return oid, value
    if word in {"ifAdminStatus", "ifOperStatus"}:
        value = _STATUS.get(value, value)
    number = value.removeprefix(_ALARM)
    if word == "upsAlarmDescr" and number.isdecimal() and 1 <= int(number[:3]) <= len(_ALARMS):
        value = f"upsAlarm{_ALARMS[int(number[:3]) - 1]}"
    return word, value


def is_mains_back(trap: Trap) -> bool:
    """Return whether a UPS takes back its alarm that it runs on battery."""
    removed = trap.oid in {f"{_UPS}.2.4", f"{_UPS}.2.0.4"}
    return removed and any(value == f"{_ALARM}2" for _, value in trap.variables)


def says(trap: Trap) -> str:
    """Return one line: what the trap says, in plain English, with what came with it."""
    meaning = NAMES.get(trap.oid)
    said = trap.oid if meaning is None else f"{meaning[0]}: {meaning[1]}"
    with_it = ", ".join(
        f"{word} {value}" for word, value in (variable(*pair) for pair in trap.variables[:6])
    )
    return f"{said} ({with_it})" if with_it else said
