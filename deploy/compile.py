"""Compile the path of a report with mypyc, beside its sources; or remove what was compiled.

    python deploy/compile.py          (make compiled)
    python deploy/compile.py --pure   (make pure)

The same sources are both: where the compiled modules are missing, Python runs the sources, and does
the same in about half as much time again. A collector of thousands of offices may want them; an
office's agent needs none (docs/adr/0014). Takes a C compiler, Python's headers, mypy and setuptools
(`make setup` has the last two); a minute or two of CPU.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GROUP = "tabuah.core"
"""Stands in the name of the one library that holds them all."""
MODULES = (
    "tabuah/varint.py",
    "tabuah/block.py",
    "tabuah/glance.py",
    "tabuah/notification.py",
    "tabuah/sections.py",
    "tabuah/snmp/ber.py",
    "tabuah/snmp/message.py",
    "tabuah/snmp/pdu.py",
    "tabuah/snmp/receiver.py",
    "tabuah/snmp/usm.py",
    "collector/bases.py",
    "collector/clones.py",
    "collector/health.py",
    "collector/intake.py",
    "collector/live.py",
    "collector/opened.py",
    "collector/placing.py",
)
"""What a report meets that is pure: each a module that mypy checks strictly."""


def compiled() -> list[Path]:
    """Return the libraries that stand beside the sources."""
    folders = {ROOT / Path(module).parent for module in MODULES}
    return sorted(path for folder in folders for path in folder.glob("*.so"))


def main() -> int:
    """Do as the command line says."""
    for path in compiled():
        path.unlink()
    if sys.argv[1:] == ["--pure"]:
        return 0
    try:
        # Here, not above: an installation without them can still be made pure.
        from mypyc.build import mypycify  # noqa: PLC0415
        from setuptools import Distribution  # noqa: PLC0415
    except ImportError as error:
        sys.exit(f"cannot compile: {error}; install mypy and setuptools into this Python")
    os.chdir(ROOT)
    build = Path(tempfile.mkdtemp(prefix="tabuah-build-"))
    try:
        modules = mypycify(
            ["--strict", "--follow-imports=silent", *MODULES],
            opt_level="3",
            group_name=GROUP,
            target_dir=str(build),
        )
        command = Distribution({"name": "tabuah", "ext_modules": modules}).get_command_obj(
            "build_ext"
        )
        command.build_lib, command.build_temp = str(ROOT), str(build / "objects")
        command.ensure_finalized()
        command.run()
    finally:
        shutil.rmtree(build)
    print(f"compiled: {len(MODULES)} modules, in {len(compiled())} libraries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
