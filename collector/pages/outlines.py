"""Reads a user's GeoJSON (RFC 7946) of boundaries, by the Kemendagri code of each feature.

A map is worth no failing page: what cannot be read is logged, and the map shows points alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

Ring = Sequence[tuple[float, float]]
"""Longitude and latitude, WGS 84 degrees."""

Outlines: TypeAlias = Mapping[str, Sequence[Ring]]
"""The rings of each area by its code."""

LARGEST: Final = 50_000_000
"""Octets of a file that is read."""

log = logging.getLogger(__name__)


def read_outlines(path: Path) -> dict[str, tuple[Ring, ...]]:
    """Return the outer and inner rings of each area by its code; nothing if it cannot be read."""
    try:
        if path.stat().st_size > LARGEST:
            log.warning("%s: larger than %d octets; the map shows points", path, LARGEST)
            return {}
        return outlines(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        log.warning("%s: no boundaries can be read (%s); the map shows points", path, error)
        return {}


def outlines(document: Mapping[str, Any]) -> dict[str, tuple[Ring, ...]]:
    """Return the rings by code of a FeatureCollection.

    Raises:
        KeyError, TypeError, IndexError, ValueError, AttributeError: it is none.
    """
    found: dict[str, tuple[Ring, ...]] = {}
    for feature in document["features"]:
        code = feature.get("id") or (feature.get("properties") or {}).get("code")
        if code is not None and feature["geometry"] is not None:
            found[str(code)] = tuple(_rings(feature["geometry"]))
    return found


def _rings(geometry: Mapping[str, Any]) -> Iterator[Ring]:
    kind, coordinates = geometry["type"], geometry["coordinates"]
    polygons = {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(kind, [])
    for polygon in polygons:
        for ring in polygon:
            yield [(float(point[0]), float(point[1])) for point in ring]
