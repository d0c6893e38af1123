"""Whether alerts leave is a metric of each channel."""

from __future__ import annotations

import subprocess

import pytest

from alerts.channels import ChannelError, Outbox
from alerts.message import Message
from collector.own_metrics import OwnMetrics


async def _never(_: Message) -> None:
    raise ChannelError("answered 503")


@pytest.mark.peer
def test_each_channel_shows_whether_it_takes_messages() -> None:
    telegram, siren = Outbox("telegram", _never), Outbox("siren", _never)
    siren.tried("")
    telegram.tried("answered 503")
    own = OwnMetrics()
    own.watch_channels([telegram, siren], lambda: 2)
    page = own.render()
    for line in (
        'tabuah_alert_channel_up{channel="telegram"} 0.0',
        'tabuah_alert_channel_up{channel="siren"} 1.0',
        'tabuah_alert_channel_tries_total{channel="telegram",outcome="failed"} 1.0',
        'tabuah_alert_channel_tries_total{channel="siren",outcome="lost"} 0.0',
        'tabuah_alert_channel_waiting_messages{channel="siren"} 0.0',
        "tabuah_alert_text_failures_total 2.0",
    ):
        assert line.encode() in page
    done = subprocess.run(
        ("promtool", "check", "metrics"), input=page, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
