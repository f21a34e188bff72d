"""The same small corpus with every snapshotter: images, archives and directories are the same, byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
from tests.e2e.building import FIXED_TIME, Builder

pytestmark = [pytest.mark.root, pytest.mark.crun]

SNAPSHOTTERS = ("overlay", "fuse-overlayfs", "copy")
CORPUS = r"""
FROM base AS below
RUN mkdir -p /d/e /gone/in /full/x && echo 1 > /d/f && echo 2 > /d/g && echo 3 > /d/e/h && echo 4 > /gone/in/f \
    && echo 8 > /pair && ln /pair /d/hard \
    && ln -s f /d/link && echo 5 > /full/x/y && chmod 0700 /full && echo 6 > /renamed
COPY kept /kept/
FROM below
RUN echo more >> /d/f && chmod 4750 /d/g && rm /d/e/h && rm -r /gone && rm -r /full && mkdir /full && echo 7 > /full/z
RUN mv /renamed /d/renamed && mkfifo -m 0600 /private && mkfifo /open && chmod 0646 /open && mknod -m 0640 /null c 1 3
RUN touch -h -d '2001-01-01 00:00:00' /d/link && chown 3:4 /kept/noted && echo x >> /kept/noted && chmod 0711 /d
RUN ln -sfn nowhere /d/link && echo y > /kept/new && ln /kept/new /kept/newer
COPY --from=below /d/ /full/
COPY --chown=5:6 kept/noted /d/e/
"""
"""Changes of hard links of earlier steps are left out, as overlays break links, and modes that the umask gives pipes
and devices, which `fuse-overlayfs` ignores."""


def _fingerprint(top: Path) -> str:
    """The digest of all that a directory holds, times and inodes left out."""
    value = hashlib.sha256()
    for path in sorted(top.rglob("*")):
        status = path.lstat()
        attributes = [
            (name, os.getxattr(path, name, follow_symlinks=False))
            for name in os.listxattr(path, follow_symlinks=False)
        ]
        content = (
            path.read_bytes()
            if stat.S_ISREG(status.st_mode)
            else os.readlink(path).encode()
            if path.is_symlink()
            else b""
        )
        value.update(
            repr((str(path.relative_to(top)), status.st_mode, status.st_rdev, attributes, content)).encode()
        )
    return value.hexdigest()


def test_all_snapshotters_make_the_same(builder: Builder) -> None:
    context = builder.context("context", CORPUS, **{"kept/noted": "noted\n", "kept/plain": "plain\n"})
    os.setxattr(context / "kept/noted", "user.note", b"kept")
    seen = {}
    for name in SNAPSHOTTERS:
        place = builder.place / name
        place.mkdir()
        chosen = builder.with_store(place / "store").in_environment(PYBUILD_SNAPSHOTTER=name, **FIXED_TIME)
        chosen.build(
            context,
            *("-o", f"type=oci,dest={place}/image,tar=false,rewrite-timestamp=true"),
            *("-o", f"type=tar,dest={place}/files.tar"),
            *("-o", f"type=local,dest={place}/files"),
        )
        archive = hashlib.sha256((place / "files.tar").read_bytes()).hexdigest()
        index = (place / "image/index.json").read_text()
        seen[name] = (index, archive, _fingerprint(place / "files"))
        assert b"overlayfs" not in (place / "files.tar").read_bytes()
    assert set(seen.values()) == {seen["overlay"]}
