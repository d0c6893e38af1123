from __future__ import annotations

from pathlib import Path

import pytest

from inventory.model import Contact
from inventory.secret import SecretRef, resolve_text
from tabuah.errors import ConfigError

WHERE = "inventory.yaml:7: site 13.02.10: device router: snmp: community"


def test_a_variable_is_read_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = SecretRef.parse("env:COMMUNITY", WHERE)
    monkeypatch.setenv("COMMUNITY", "hunter2")
    assert reference.resolve(Path()) == "hunter2"
    assert "hunter2" not in repr(reference) + str(reference)
    assert reference.path(Path("/etc")) is None


def test_a_file_is_seen_from_the_inventory_and_loses_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "community").write_bytes(b"hunter2\r\n")
    reference = SecretRef.parse("file:community")
    assert reference.resolve(tmp_path) == "hunter2"
    assert reference.path(tmp_path) == tmp_path / "community"
    assert resolve_text(reference, tmp_path) == resolve_text("hunter2", tmp_path)


@pytest.mark.parametrize(
    ("reference", "what"),
    [
        ("env:ABSENT", "environment variable ABSENT is not set"),
        ("env:EMPTY", "environment variable EMPTY is empty"),
        ("file:absent", "cannot read {0}/absent: No such file or directory"),
        ("file:empty", "{0}/empty is empty"),
        ("file:latin", "{0}/latin is not UTF-8 text"),
    ],
)
def test_a_secret_that_is_not_there_is_told_with_site_and_key(
    reference: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ABSENT", raising=False)
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "latin").write_bytes(b"hunter\xff")
    with pytest.raises(ConfigError) as caught:
        SecretRef.parse(reference, WHERE).resolve(tmp_path)
    assert str(caught.value) == f"{WHERE}: secret {reference}: {what.format(tmp_path)}"


@pytest.mark.parametrize("literal", ["hunter2", "", "env:", "file:", "ENV:X", "env:A B", "file:\0"])
def test_what_is_no_reference_is_refused_and_not_repeated(literal: str) -> None:
    with pytest.raises(ValueError, match=r"env:|file:") as caught:
        SecretRef.parse(literal)
    assert "hunter2" not in str(caught.value)


def test_the_repr_of_a_contact_holds_no_person() -> None:
    contact = Contact(name="Rahmawati", phone="+62 812 0000 0000")
    assert "Rahmawati" not in repr(contact)
    assert "812" not in repr(contact)
