"""A web site on loopback for the cases that fetch: files with fixed times, and a git repository.

Words that stand for it in Dockerfiles and flags:

- `WEBSITE`: its address. It holds `/plain.txt`, `/deep/with%20blank.txt`, `/pack.tar.gz` (a directory `d` with two
  files, one of them 4:5's) and `/` itself.
- `WEBSUM`: the digest of `/plain.txt`.
- `WEBSITE/repo.git`: branches `main` (`README`, `run.sh` 0755, `link`, `sub/a`, `sub/deep/b`) and `side` (also
  `side.txt`); tag `v1` is the commit below `main`, without `run.sh`. `MAINCOMMIT` and `V1COMMIT` are their hashes.
- `WEBSITE/app.git`: a repository to build, `APPCOMMIT` its only commit, with `Dockerfile`, `.dockerignore`, `f`,
  `sub/Dockerfile`, `sub/my.Dockerfile` and `sub/g`; `WEBSITE/app.tar`, `.tar.gz`, `.tar.bz2` and `.tar.xz` hold the
  same files, and `WEBSITE/app.Dockerfile` is the first one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tests.differential.casebook import FileEntry
from tests.differential.contexts import compressed, tar_bytes, write_entry
from tests.runtime.sources.remote.webserver import Handler, Web, smart_git

PLAIN = b"plain text\n"
_TIME = 1_600_000_000
_PACKED = (
    FileEntry(b"d", "directory", 0o750),
    FileEntry(b"d/one", "file", 0o640, content=b"1\n"),
    FileEntry(b"d/two", "file", 0o600, (4, 5), content=b"2\n"),
)
_APPLICATION = (
    FileEntry(b".dockerignore", "file", 0o644, content=b"f\n"),
    FileEntry(b"Dockerfile", "file", 0o644, content=b"FROM scratch\nENV IS=root\nCOPY . /all\n"),
    FileEntry(b"f", "file", 0o644, content=b"f\n"),
    FileEntry(b"sub", "directory", 0o755),
    FileEntry(b"sub/Dockerfile", "file", 0o644, content=b"FROM scratch\nENV IS=sub\nCOPY g /\n"),
    FileEntry(b"sub/g", "file", 0o644, content=b"g\n"),
    FileEntry(b"sub/my.Dockerfile", "file", 0o644, content=b"FROM scratch\nENV IS=mine\nCOPY sub/g* /\n"),
)


class Website:
    """Serves while it is entered; its repository lies in `directory`. `port` 0 takes any free one."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        directory.mkdir(exist_ok=True)
        self.words = {"WEBSUM": "sha256:" + hashlib.sha256(PLAIN).hexdigest(), **_write_repository(directory)}
        self.words["APPCOMMIT"] = _write_application(directory)
        self._git = smart_git(directory)
        self._web = Web(port=port)
        self.words["WEBSITE"] = self._web.url("")
        self._web.rules.append(self._rule)
        self._web.files = {
            "/": b"<h1>front page</h1>\n",
            "/plain.txt": PLAIN,
            "/deep/with%20blank.txt": b"blank\n",
            "/pack.tar.gz": compressed("pack.tar.gz", tar_bytes(_PACKED)),
            "/app.Dockerfile": next(entry.content for entry in _APPLICATION if entry.path == b"Dockerfile"),
        }
        for ending in ("", ".gz", ".bz2", ".xz"):
            name = f"/app.tar{ending}"
            self._web.files[name] = compressed(name, tar_bytes(_APPLICATION))

    def add(self, path: str, content: bytes) -> None:
        self._web.files[path] = content

    def __enter__(self) -> Website:
        return self

    def __exit__(self, *exc: object) -> None:
        self._web.close()

    def _rule(self, handler: Handler) -> bool:
        """Repositories are git's; of files the query counts for nothing."""
        if ".git/" in handler.path:
            return self._git(handler)
        handler.path = handler.path.partition("?")[0]
        return False


def _write_repository(directory: Path) -> dict[str, str]:
    """Makes `repo.git`; its commits have fixed hashes. Returns the words for them."""
    work = directory / "work"
    work.mkdir()
    git = partial(_git, work)
    git("init", "-q", "-b", "main")
    (work / "README").write_text("readme\n")
    (work / "sub/deep").mkdir(parents=True)
    (work / "sub/a").write_text("a\n")
    (work / "sub/deep/b").write_text("b\n")
    (work / "link").symlink_to("sub/a")
    _commit(work, "first")
    git("tag", "v1")
    (work / "run.sh").write_text("#!/bin/sh\necho run\n")
    (work / "run.sh").chmod(0o755)
    _commit(work, "second")
    git("checkout", "-q", "-b", "side")
    (work / "side.txt").write_text("side\n")
    _commit(work, "third")
    git("checkout", "-q", "main")
    git("clone", "-q", "--bare", str(work), str(directory / "repo.git"))
    return {"MAINCOMMIT": git("rev-parse", "main"), "V1COMMIT": git("rev-parse", "v1")}


def _write_application(directory: Path) -> str:
    """Makes `app.git` and returns the hash of its commit."""
    work = directory / "application"
    work.mkdir()
    git = partial(_git, work)
    git("init", "-q", "-b", "main")
    for entry in _APPLICATION:
        write_entry(work, entry)
    _commit(work, "all")
    git("clone", "-q", "--bare", str(work), str(directory / "app.git"))
    return git("rev-parse", "main")


def _commit(work: Path, message: str) -> None:
    _git(work, "add", "-A")
    _git(work, "commit", "-q", "-m", message)


def _git(work: Path, *arguments: str) -> str:
    who: Mapping[str, str] = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "a"), ("EMAIL", "a@b.c"), ("DATE", f"{_TIME} +0000"))
    }
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-c", "gc.auto=0", *arguments],
        cwd=work,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()
