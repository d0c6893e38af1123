"""What the laboratory's tests share. Missing root or programs fail them: a skip would hide it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.machine import LabError
from tests.lab.net import Lab, Office
from tests.lab.stack import Stack


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A laboratory alone: nothing of ours runs in it."""
    try:
        with Lab(3, tmp_path_factory.mktemp("lab")) as built:
            yield built
    except LabError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product in another laboratory, for all tests together: it takes long to warm up."""
    folder = tmp_path_factory.mktemp("stack")
    try:
        with Lab(3, folder) as lab, Stack(lab, folder) as running:
            yield running
    except LabError as error:
        pytest.fail(str(error))


@pytest.fixture
def office(stack: Stack) -> Iterator[Office]:
    """The first office, whose line is whole, before the test and after it."""
    chosen = stack.lab.offices[0]
    stack.await_state(chosen, "up", 20)
    yield chosen
    stack.lab.restore(chosen)
