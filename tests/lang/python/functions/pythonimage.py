"""An image with a Python: busybox, this interpreter, its libraries, and the few modules of the standard library that
the runner and the tests need."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.differential.bases import PLAIN, busybox_layer, write_layout

from pybuild.lang.python import functions

_IMPORTED = """
import dataclasses, encodings.utf_8, runpy, sys, types, warnings
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="part")
found = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
import os; found.add(os.__file__)
print("\\n".join(sorted(one for one in found if one)))
"""


def make_python_layout(directory: Path) -> Path:
    """The OCI layout. `/usr/bin/python3` leads to the interpreter, which lies where it lies on this machine."""
    program = os.path.realpath(sys.executable)
    parts = [
        os.path.join(os.path.dirname(functions.__file__), f"{name}.py") for name in ("runner", "encoding")
    ]
    command = [program, "-I", "-c", _IMPORTED, *parts]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    modules = [path for path in told.stdout.split() if os.path.isfile(path)]
    libraries = {path for one in (program, *modules) for path in libraries_of(one)}
    out = io.BytesIO(busybox_layer())
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as archive:
        done = {"/", "/bin", "/usr", "/usr/bin"}
        for path in sorted({program, *modules, *libraries}):
            add_file(archive, path, done)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, program
        archive.addfile(link)
    layout = directory / "layout"
    write_layout(layout, out.getvalue(), json.loads(PLAIN))
    return layout


def libraries_of(path: str) -> list[str]:
    """The shared libraries that a program or a library on this machine is linked with."""
    if not (path.endswith(".so") or os.access(path, os.X_OK)):
        return []
    told = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=60, check=False)
    return re.findall(r"(?:=> |^\t)(/\S+) \(", told.stdout, re.MULTILINE)


def add_file(archive: tarfile.TarFile, path: str, done: set[str]) -> None:
    """Add this machine's file at its own path, with the directories above that are not `done`."""
    above = os.path.dirname(path)
    missing = []
    while above not in done:
        missing.append(above)
        done.add(above)
        above = os.path.dirname(above)
    for directory in reversed(missing):
        # Also the home of a user whose Python it is: whoever the steps run as must get through.
        member = tarfile.TarInfo(directory.lstrip("/"))
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(member)
    data = Path(path).read_bytes()
    member = tarfile.TarInfo(path.lstrip("/"))
    member.mode, member.size = 0o755, len(data)
    archive.addfile(member, io.BytesIO(data))
