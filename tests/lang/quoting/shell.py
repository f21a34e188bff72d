"""Runs scripts under real shells and reads back the words that programs got.

A script calls `p NUMBER WORD…`, which writes its words to descriptor 3, each ended by a NUL, a group by `\\001\\0`;
`h NUMBER` writes its standard input likewise.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

SHELLS = {
    "dash": ["/usr/bin/dash"],
    "bash": ["/usr/bin/bash"],
    "bash as sh": ["/usr/bin/bash", "--posix"],
    "busybox": ["/usr/bin/busybox", "sh"],
}
RANDOMLY = ["dash", "bash", "busybox"]
"""Those for random scripts: bash's own tokenizer is the same as sh."""

PRELUDE = r"""p() { printf '%s\0' "$@" >&3; printf '\001END\0' >&3; }
h() { printf '%s\0' "$1" >&3; cat >&3; printf '\0\001END\0' >&3; }
"""

END = b"\1END"


def run(
    shell: str, script: str, *, flag: str = "", cwd: str | Path = "/"
) -> tuple[dict[str, list[list[str]]], str, int]:
    """What `p` and `h` got, by their numbers; what the shell complains of; its exit code.

    With a `flag` (`-c`) the script is an argument, else a file."""
    with tempfile.TemporaryDirectory() as directory:
        out, path = Path(directory, "out"), Path(directory, "script")
        out.touch()
        text = f"exec 3>>{out}\n{PRELUDE}{script}"
        path.write_bytes(text.encode())
        done = subprocess.run(
            [*SHELLS[shell], *([flag, text] if flag else [str(path)])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            cwd=cwd,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": f"{directory}/home", "X": "ex"},
        )
        got = out.read_bytes()
    return _groups(got), done.stderr.decode(errors="replace"), done.returncode


def _groups(data: bytes) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    group: list[str] = []
    for word in data.split(b"\0")[:-1]:
        if word == END:
            found.setdefault(group[0], []).append(group[1:])
            group = []
        else:
            group.append(word.decode(errors="surrogateescape"))
    assert not group
    return found
