"""The running collector with PostgreSQL, and with a time series database that it writes on to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import postgresql
from tests.support.programs import SITE, centre, seconds_until
from tests.support.timeseries import victoria_metrics

pytestmark = pytest.mark.peer


def test_reports_are_kept_in_postgresql_and_written_on(tmp_path: Path) -> None:
    with (
        victoria_metrics(tmp_path) as series,
        postgresql.server() as server,
        postgresql.database(server, "tabuah") as url,
        centre(tmp_path) as made,
    ):
        inventory = made.inventory / "inventory.yaml"
        inventory.write_text(f"{inventory.read_text()}remote_write: {series.write_url}\n")
        secret = tmp_path / "url"
        secret.write_text(f"{url}\n")
        made.start_agent(made.enrol())
        made.start_collector(more=("--store", f"file:{secret}"))
        seconds_until(lambda: len(made.said()) > 3, 20)
        assert not (made.data / "store.db").exists()
        seen = f'tabuah_probe_success_ratio{{site="{SITE}"}}'
        seconds_until(lambda: len(series.samples(seen)) > 3, 20)
        made.collector.terminate()
        assert made.collector.wait(20) == 0

        made.start_collector(more=("--store", f"file:{secret}"))
        known = len(made.said())
        assert known > 3
        seconds_until(lambda: len(made.said()) > known + 3, 20)
        checked = made.tabuah(
            "data", "check", "--data", str(made.data), "--store", f"file:{secret}"
        )
        assert "more than once" not in checked.stdout
        assert "reports of 1 offices" in checked.stdout
        made.stop()


def test_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    with centre(tmp_path) as made:
        words = ("collector", "run", "--inventory", str(made.inventory), "--data", str(made.data))
        done = made.tabuah(*words, "--store", "postgresql+psycopg://tabuah:secret@db/tabuah")
        assert done.returncode == 2
        assert "use env:NAME or file:PATH" in done.stderr
        assert "secret" not in done.stderr
