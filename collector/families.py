"""The families of the metrics page that speak of sites: the contract with dashboards and rules.

A name, once shown, stays: change this list only by adding. All but one pass `promtool check
metrics`: it would rather have bytes than the bits per second in which lines are sold and
devices answer.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A metric by the name, type and help that its samples share; compared by identity."""

    name: str
    kind: str
    help: str


SITE_STATE = Family("tabuah_site_state", "gauge", "1 for the state the site is in, else 0.")
SITE_UP = Family(
    "tabuah_site_up", "gauge", "1 when the site is up or degraded, 0 when down, else absent."
)
CIRCUIT_UP = Family(
    "tabuah_circuit_up", "gauge", "Whether the circuit carries traffic, by the site's own probes."
)
SITE_INFO = Family("tabuah_site_info", "gauge", "What the inventory says of a site; always 1.")
CIRCUIT_INFO = Family(
    "tabuah_circuit_info", "gauge", "What the inventory says of a circuit; always 1."
)
LOCATION = Family(
    "tabuah_site_location_info", "gauge", "Where a site is (WGS 84 degrees); always 1."
)
OBJECTIVE = Family(
    "tabuah_circuit_objective_ratio",
    "gauge",
    "Availability that the circuit's contract promises, as the inventory has it.",
)
BANDWIDTH = Family(
    "tabuah_circuit_bandwidth_bytes_per_second",
    "gauge",
    "Bandwidth that the circuit's contract gives, by direction as the office sees it.",
)
SERVING = Family(
    "tabuah_site_serving",
    "gauge",
    "Whether the site is within its service hours; always, if it has none.",
)
SERVICE_OBJECTIVE = Family(
    "tabuah_service_objective_ratio",
    "gauge",
    "Share of its checks that ought to succeed, as the inventory has it.",
)
LAST = Family(
    "tabuah_report_last_timestamp_seconds",
    "gauge",
    "When the newest live report came, by the collector's clock.",
)
CLONES = Family(
    "tabuah_site_clone_reports_total",
    "counter",
    "Reports by which a second agent with the same configuration showed.",
)
REPORT_RTT = Family(
    "tabuah_report_rtt_seconds", "gauge", "Smoothed round trip of reports, as the agent has it."
)
SUCCESS = Family(
    "tabuah_probe_success_ratio",
    "gauge",
    "Share of packets or checks of the newest run that were answered as expected.",
)
RTT = Family("tabuah_probe_rtt_seconds", "gauge", "Round trips of the newest run.")
LOSS = Family(
    "tabuah_probe_loss_ratio", "gauge", "Share of packets of the newest run without an answer."
)
JITTER = Family(
    "tabuah_probe_jitter_seconds", "gauge", "Mean difference of neighbouring round trips."
)
ONE_WAY_LOSS = Family(
    "tabuah_probe_one_way_loss_ratio",
    "gauge",
    "Share of packets lost in one direction between the last two answers (STAMP).",
)
IF_UP = Family("tabuah_interface_up", "gauge", "Whether ifOperStatus is up.")
IF_SPEED = Family(
    "tabuah_interface_speed_bits_per_second", "gauge", "ifHighSpeed, or ifSpeed, of an interface."
)
RX_BYTES = Family("tabuah_interface_receive_bytes_total", "counter", "Octets received.")
TX_BYTES = Family("tabuah_interface_transmit_bytes_total", "counter", "Octets sent.")
RX_ERRORS = Family("tabuah_interface_receive_errors_total", "counter", "ifInErrors.")
TX_ERRORS = Family("tabuah_interface_transmit_errors_total", "counter", "ifOutErrors.")
RX_DISCARDS = Family("tabuah_interface_receive_discards_total", "counter", "ifInDiscards.")
TX_DISCARDS = Family("tabuah_interface_transmit_discards_total", "counter", "ifOutDiscards.")
SERVICE_UP = Family(
    "tabuah_service_up", "gauge", "Whether every check of the service from this site succeeded."
)
SERVICE_DURATION = Family(
    "tabuah_service_duration_seconds", "gauge", "Time of each step of the service's check."
)
CERTIFICATE = Family(
    "tabuah_service_certificate_remaining_seconds",
    "gauge",
    "Time until the service's certificate ends, in whole days; negative when it has ended.",
)
BACKLOG = Family(
    "tabuah_agent_backlog_reports", "gauge", "Reports in the agent's spool not yet acknowledged."
)
DROPPED = Family(
    "tabuah_agent_dropped_reports_total",
    "counter",
    "Reports that the agent lost for want of room in its spool.",
)
SKEW = Family(
    "tabuah_agent_clock_skew_seconds",
    "gauge",
    "Office's clock minus the collector's, by the quickest report of its boot.",
)
RESIDENT = Family(
    "tabuah_agent_resident_memory_bytes", "gauge", "Resident memory of the agent's process."
)
WRITTEN = Family(
    "tabuah_agent_written_bytes_total",
    "counter",
    "Octets that the agent's process has had written to disk.",
)

FAMILIES = (
    *(SITE_STATE, SITE_UP, CIRCUIT_UP, SITE_INFO, CIRCUIT_INFO, LOCATION),
    *(OBJECTIVE, BANDWIDTH, SERVING, SERVICE_OBJECTIVE),
    *(LAST, CLONES, REPORT_RTT, SUCCESS, RTT, LOSS, JITTER, ONE_WAY_LOSS),
    *(IF_UP, IF_SPEED, RX_BYTES, TX_BYTES, RX_ERRORS, TX_ERRORS),
    *(RX_DISCARDS, TX_DISCARDS, SERVICE_UP, SERVICE_DURATION, CERTIFICATE),
    *(BACKLOG, DROPPED, SKEW, RESIDENT, WRITTEN),
)
