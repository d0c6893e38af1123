"""What the laboratory's tests share. Missing root or programs fail them: a skip would hide it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.machine import LabError
from tests.lab.net import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    try:
        with Lab(3, tmp_path_factory.mktemp("lab")) as built:
            yield built
    except LabError as error:
        pytest.fail(str(error))
