"""Each broken inventory beside the exact words it earns."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.load import load
from tabuah.errors import ConfigError

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_inventory_earns_its_exact_message(path: Path, tmp_path: Path) -> None:
    (tmp_path / "inventory.yaml").write_bytes(path.read_bytes())
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    said = str(caught.value).replace(f"{tmp_path}/", "")
    assert said == path.with_suffix(".txt").read_text(encoding="utf-8").rstrip("\n")
    assert caught.value.exit_code == 2


def test_no_message_repeats_a_secret() -> None:
    secrets = ("hunter2", "12345678")
    holding = [path for path in BROKEN if path.stem.endswith(("in_the_clear", "_a_password"))]
    assert len(holding) == 5
    for path in holding:
        assert any(secret in path.read_text(encoding="utf-8") for secret in secrets)
        said = path.with_suffix(".txt").read_text(encoding="utf-8")
        assert not any(secret in said for secret in secrets)
