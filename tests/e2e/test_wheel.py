"""The wheel as others install it: not editable, with nothing of the checkout beside it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("tabuah", "agent", "collector", "provision", "inventory", "alerts", "demo")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
        *("--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)),
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel in it and our locked libraries behind it."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    site = home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    _run(
        *(sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"),
        *("--quiet", "--no-deps", "--no-index", str(wheel)),
    )
    # A path in a .pth file is added last, and its own .pth files are not read: the libraries
    # are found, the editable checkout is not.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def test_the_wheel_holds_what_is_no_python_too(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    kept = {
        str(file.relative_to(ROOT))
        for name in OURS
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert kept <= held, "all that stands in our packages"
    for folder, kind in (
        ("collector/templates/", ".html"),
        ("collector/static/", ".css"),
        ("collector/migrations/", ".py"),
        ("inventory/examples/", "inventory.yaml"),
        ("alerts/rules/", ".yml"),
        ("alerts/templates/id/", ".txt"),
    ):
        assert any(n.startswith(folder) and n.endswith(kind) for n in held), folder
    tops = {name.split("/")[0] for name in held if ".dist-info/" not in name}
    assert tops == set(OURS)


def test_an_installed_wheel_is_what_runs(installed: Path, tmp_path: Path) -> None:
    code = "import importlib as i,sys;print(*(i.import_module(n).__file__ for n in sys.argv[1:]))"
    found = _run(str(installed / "python"), "-c", code, *OURS, cwd=tmp_path).split()
    assert all(Path(file).is_relative_to(installed.parent) for file in found), found


@pytest.mark.parametrize(
    "command",
    ["", "agent run", "agent check", "collector run", "enrol", "sites", "inventory check", "demo"],
)
def test_every_command_explains_itself(installed: Path, tmp_path: Path, command: str) -> None:
    said = _run(str(installed / "tabuah"), *command.split(), "--help", cwd=tmp_path)
    assert said.lower().startswith("usage: tabuah")


def test_the_packaged_example_inventory_is_valid(installed: Path, tmp_path: Path) -> None:
    code = "import inventory;print(inventory.__path__[0])"
    package = Path(_run(str(installed / "python"), "-c", code, cwd=tmp_path).strip())
    (example,) = (package / "examples").iterdir()
    _run(str(installed / "tabuah"), "inventory", "check", str(example), cwd=tmp_path)


def test_an_installed_collector_serves_its_page(installed: Path, tmp_path: Path) -> None:
    """Templates, static files and migrations are found where the wheel put them."""
    inventory = tmp_path / "inventory"
    inventory.mkdir()
    (inventory / "inventory.yaml").write_text(
        'organisation: Dinas Uji\nsites: [{code: "13.02.10", name: Kantor Camat Kubung}]\n'
    )
    script = f"""
import asyncio, signal, subprocess, sys, time, urllib.request, socket
def port(kind):
    with socket.socket(type=kind) as s:
        s.bind(("127.0.0.1", 0)); return s.getsockname()[1]
web = port(socket.SOCK_STREAM)
argv = [{str(installed / "tabuah")!r}, "collector", "run", "--inventory", "inventory",
        "--data", "data", "--http", f"127.0.0.1:{{web}}",
        "--listen", f"127.0.0.1:{{port(socket.SOCK_DGRAM)}}",
        "--reflect", f"127.0.0.1:{{port(socket.SOCK_DGRAM)}}"]
process = subprocess.Popen(argv)
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
try:
    for attempt in range(100):
        try:
            page = opener.open(f"http://127.0.0.1:{{web}}/", timeout=5).read().decode()
            break
        except OSError:
            time.sleep(0.1)
finally:
    process.terminate(); code = process.wait(10)
assert "Kantor Camat Kubung" in page, page
assert code == 0, code
"""
    _run(str(installed / "python"), "-c", script, cwd=tmp_path)


def test_no_other_distribution_claims_our_names() -> None:
    claimed = importlib.metadata.packages_distributions()
    others = {name: set(claimed.get(name, ())) - {"tabuah"} for name in (*OURS, "provision")}
    assert not any(others.values()), others


def _run(*argv: str, cwd: Path | None = None) -> str:
    # A PYTHONPATH that leads to the checkout would hide what the wheel lacks.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, check=False, timeout=100, env=environment
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout
