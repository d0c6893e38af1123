"""The inventory's values as JSON by position, and back: small, quick, and no code in it.

A dataclass is the list of its fields in order, those at the end that have their defaults left
out; an enum is its value. What a place holds is known from the type of its field, so nothing in
a file can name a class (which `pickle` would allow). Pure.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TypeVar, Union, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

T = TypeVar("T")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
_Read = Callable[[Json], object]

_PLAIN = frozenset({type(None), bool, int, float, str})
_BY_TEXT: dict[type, Callable[[str], object]] = {
    Decimal: Decimal,
    Path: Path,
    ZoneInfo: ZoneInfo,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}


def pack(value: object) -> Json:
    """Return the value as JSON can hold it; `reader` of the same type takes it back.

    Raises:
        TypeError: it is of a kind that no inventory has.
    """
    if type(value) in _PLAIN:
        return cast("Json", value)
    if isinstance(value, Enum):
        return cast("Json", value.value)
    if is_dataclass(value) and not isinstance(value, type):
        packed: list[Json] = []
        left_out: list[Json] = []
        for name, default in _places(type(value)):
            one = pack(getattr(value, name))
            if one == default:
                left_out.append(one)
            else:
                packed += left_out
                packed.append(one)
                left_out = []
        return packed
    if isinstance(value, (tuple, list)):
        return [pack(item) for item in value]
    if isinstance(value, Mapping):
        return {str(pack(key)): pack(item) for key, item in value.items()}
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (Decimal, Path, ZoneInfo)):
        return str(value)
    raise TypeError(f"cannot pack {type(value).__name__}")


@lru_cache(maxsize=256)
def _places(kind: type) -> tuple[tuple[str, object], ...]:
    """Return the names of a dataclass' fields, and what stands for each where it is left out."""
    return tuple((one.name, _default(one)) for one in _init_fields(kind))


@lru_cache(maxsize=256)
def _init_fields(kind: type) -> tuple[Field[object], ...]:
    assert is_dataclass(kind)
    return tuple(one for one in fields(kind) if one.init)


_NO_DEFAULT = "lacks a default", None
"""No packed value equals it; its text is the same in each process, for `fingerprint`."""


@lru_cache(maxsize=1024)
def _default(one: Field[object]) -> object:
    """Return what stands in place of an absent field, packed."""
    if one.default is not MISSING:
        return pack(one.default)
    return pack(one.default_factory()) if one.default_factory is not MISSING else _NO_DEFAULT


@lru_cache(maxsize=256)
def reader(kind: type[T]) -> Callable[[Json], T]:
    """Return what turns packed values of a dataclass into values.

    The reader raises ValueError, TypeError or LookupError for what `pack` did not make.
    """
    return cast("Callable[[Json], T]", _reader(kind))


def _reader(hint: object) -> _Read:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(tuple(one for one in inner if one is not type(None)))
    if origin in (tuple, Sequence):
        item = _reader(inner[0])
        return lambda packed: tuple(map(item, _list(packed)))
    if origin is not None:  # a Mapping
        key, each = _reader(inner[0]), _reader(inner[1])
        return lambda packed: {key(name): each(one) for name, one in _dict(packed).items()}
    assert isinstance(hint, type)
    if issubclass(hint, Enum):
        members = {member.value: member for member in hint}
        return lambda packed: members[packed]
    if is_dataclass(hint):
        return _dataclass_reader(hint)
    by_text = _BY_TEXT.get(hint)
    if by_text is not None:
        return lambda packed: by_text(cast("str", packed))
    return lambda packed: packed


def _union(kinds: tuple[object, ...]) -> _Read:
    """Return a reader of `X | None` and of `str | SecretRef | None`: a list is the dataclass."""
    if len(kinds) == 1:
        only = _reader(kinds[0])
        return lambda packed: None if packed is None else only(packed)
    (structured,) = (_reader(kind) for kind in kinds if is_dataclass(kind))
    return lambda packed: structured(packed) if isinstance(packed, list) else packed


def _dataclass_reader(kind: type) -> _Read:
    hints = get_type_hints(kind)
    readers = [_reader(hints[one.name]) for one in _init_fields(kind)]

    def read(packed: Json) -> object:
        values = _list(packed)
        if len(values) > len(readers):
            raise ValueError(f"{kind.__name__} has no {len(values)} fields")
        return kind(*[one(value) for one, value in zip(readers, values, strict=False)])

    return read


def _list(packed: Json) -> list[Json]:
    if not isinstance(packed, list):
        raise TypeError("not a list")
    return packed


def _dict(packed: Json) -> dict[str, Json]:
    if not isinstance(packed, dict):
        raise TypeError("not a mapping")
    return packed


def fingerprint(kind: type) -> str:
    """Return what changes when a dataclass, or one in it, gains, loses or moves a field."""
    said: dict[type, str] = {}
    open_kinds: list[object] = [kind]
    while open_kinds:
        one = open_kinds.pop()
        open_kinds += get_args(one)
        if isinstance(one, type) and is_dataclass(one) and one not in said:
            hints = get_type_hints(one)
            shown = _init_fields(one)
            said[one] = repr([(f.name, str(hints[f.name]), str(_default(f))) for f in shown])
            open_kinds += hints.values()
        elif isinstance(one, type) and issubclass(one, Enum):
            said[one] = repr([member.value for member in one])
    lines = sorted(f"{one.__qualname__} {text}" for one, text in said.items())
    return sha256("\n".join(lines).encode()).hexdigest()
