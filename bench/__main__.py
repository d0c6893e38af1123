"""`python -m bench [NAME...]`: run all benchmarks or some; one JSON object on stdout."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time

from bench.measure import BenchError, Figures, say

BENCHMARKS = {
    "anatomy": "octets of each part of a report inform and of its answer",
    "codec": "CPU of receiving and sending one report inform; beside pysnmp and net-snmp",
    "receive": "the collector end to end, reports on disk; beside snmptrapd",
    "fleet": "83,762 offices at 8,376 reports a second, 8,000,000 rows; beside its peers",
    "traps": "what a trap costs, and what a flood of them costs acknowledgements",
    "page": "the metrics page for 7,285 sites; beside prometheus-client",
    "alerts": "from a cut to the message; beside Prometheus and blackbox_exporter (1 hour, root)",
    "lossy": "no false outage at 5 to 30 % loss each way (16 minutes, root)",
    "judge": "a year of 14 offices with their faults through the court, and its months",
    "sla": "one month of 500 circuits judged and printed",
    "agent": "memory, CPU and writes of an office's agent; beside collectd, vmagent, ...",
    "bytes": "IP bytes a day on an office's line, in network namespaces (root)",
    "catchup": "a day of backlog over 256 kbit/s and 600 ms, live reports beside it (root)",
    "provision": "bad pushes, kills, cuts, reboots on real gateways (25 minutes, root)",
    "waves": "a change for 100 offices, five of which it harms (15 minutes, root)",
    "returning": "10,000 offices that return at once with ten minutes of backlog each",
    "kills": "kill -9 of collector and agents under load, 200 times, and a cut of 180 s",
}


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", metavar="NAME", nargs="*", help="default: all")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--seconds", type=float, help="how long agent and bytes watch")
    parser.add_argument("--only", metavar="NAME,NAME", help="which scenarios alerts runs")
    options = parser.parse_args()
    if options.list:
        for name, about in BENCHMARKS.items():
            print(f"{name:10}{about}")
        return 0
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; try --list")
    if options.seconds is not None:
        os.environ["BENCH_SECONDS"] = str(options.seconds)
    if options.only is not None:
        os.environ["BENCH_ONLY"] = options.only
    found: Figures = {"machine": _machine()}
    failed = False
    for name in options.names or BENCHMARKS:
        say(f"--- {name}")
        began = time.monotonic()
        try:
            found[name] = importlib.import_module(f"bench.{name}").run()
        except BenchError as error:
            say(f"{name}: {error}")
            found[name] = {"failed": str(error)}
            failed = True
        say(f"{name}: {time.monotonic() - began:.0f} s")
    json.dump(found, sys.stdout, indent=2)
    print()
    return 1 if failed else 0


def _machine() -> Figures:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load_at_start": round(os.getloadavg()[0], 2),
    }


if __name__ == "__main__":
    sys.exit(main())
