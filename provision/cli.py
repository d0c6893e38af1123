"""`tabuah config`: render, review, push, and let the office itself confirm."""

from __future__ import annotations

import click

from provision.devices_cli import backup, drift, trust
from provision.plan_cli import plan
from provision.push_cli import confirm, push, resume, rollback
from provision.record_cli import history, show, status


@click.group(no_args_is_help=True)
def config() -> None:
    """Push configuration to offices' gateways, so that no push can cut an office off.

    A push is confirmed only when the office's own agent reports that all is as well as before;
    otherwise the gateway undoes it alone. docs/provisioning.md tells how.

    \b
    Examples:
      tabuah config trust 13.02.10 --inventory inv --data data
      tabuah config plan 13.02.10 --inventory inv --data data --out plan.json
      tabuah config push --inventory inv --data data --plan plan.json
      tabuah config status --inventory inv --data data
    """  # noqa: D301 - click needs the backspace itself


for command in (
    *(plan, push, status, confirm, rollback, resume),
    *(trust, backup, drift, history, show),
):
    config.add_command(command)
