"""The base of frontend images, made from this machine's files: busybox, Python, grpcio and pybuild. As those are
there, a `pip` that does nothing stands for pip."""

from __future__ import annotations

import io
import json
import marshal
import os
import subprocess
import sys
import tarfile
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

from tests.differential.bases import PLAIN, busybox_layer, write_layout
from tests.lang.python.functions.pythonimage import add_file, libraries_of

import pybuild

_PACKAGES = ("attr", "attrs", "google", "grpc")
_OURS = ("compiler", "frontend", "lang", "gateway", "runtime")
_IMPORTED = """
import sys
import grpc, runpy, traceback, zlib, pybuild.sdk.standardstreams, pybuild.sdk.running
import pybuild.runtime.bridge.statuses
grpc.insecure_channel("unix-abstract:nothing").close()
found = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
import os; found.add(os.__file__)
print("\\n".join(sorted(one for one in found if one)))
"""
_HEADER = 16
_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""Of the header of a compiled module: it is one by hash, which isn't compared."""
_PIP = "#!/bin/sh\n# All that it would install is there.\n"


def make_python_base(directory: Path) -> Path:
    """The OCI layout. Files lie where they lie on this machine."""
    program = os.path.realpath(sys.executable)
    source = Path(pybuild.__file__).parents[1]
    packages = Path(next(path for path in sys.path if path.endswith("site-packages")))
    out = io.BytesIO(busybox_layer())
    with tarfile.open(fileobj=out, mode="a", format=tarfile.PAX_FORMAT) as archive:
        done = {"/", "/bin", "/usr", "/usr/bin"}
        for path in sorted(_files(program, source, packages)):
            add_file(archive, path, done)
            if path.endswith(".py"):
                _add_compiled(archive, path, done)
        link = tarfile.TarInfo("usr/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, program
        archive.addfile(link)
        pip = tarfile.TarInfo("usr/bin/pip")
        pip.mode, pip.size = 0o755, len(_PIP)
        archive.addfile(pip, io.BytesIO(_PIP.encode()))
    layout = directory / "python"
    config = json.loads(PLAIN)
    config["Env"] += [f"PYTHONPATH={source}:{packages}", "PYTHONDONTWRITEBYTECODE=1"]
    write_layout(layout, out.getvalue(), config)
    return layout


def _add_compiled(archive: tarfile.TarFile, path: str, done: set[str]) -> None:
    """Add what pip leaves beside a module: its code, which is taken for that of the source unchecked."""
    cached = cache_from_source(path)
    try:
        code = Path(cached).read_bytes()[_HEADER:]
    except FileNotFoundError:
        code = marshal.dumps(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True))
    above = os.path.dirname(cached)
    if above not in done:
        done.add(above)
        directory = tarfile.TarInfo(above.lstrip("/"))
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(directory)
    data = MAGIC_NUMBER + _UNCHECKED + code
    member = tarfile.TarInfo(cached.lstrip("/"))
    member.mode, member.size = 0o644, len(data)
    archive.addfile(member, io.BytesIO(data))


def _files(program: str, source: Path, packages: Path) -> set[str]:
    told = subprocess.run(
        [sys.executable, "-c", _IMPORTED], capture_output=True, text=True, check=True, timeout=60
    )
    found = {
        program,
        *map(str, (source / "pybuild").glob("*.py")),
        *(path for path in told.stdout.split() if os.path.isfile(path)),
    }
    for top in (*(packages / name for name in _PACKAGES), *(source / "pybuild" / name for name in _OURS)):
        found |= {str(path) for path in top.rglob("*") if path.suffix in (".py", ".so") and path.is_file()}
    return found | {library for path in found for library in libraries_of(path)}
