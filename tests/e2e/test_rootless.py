"""The same builds as an ordinary user: the same image, and nothing that needs root to get rid of."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from tests.e2e.building import FIXED_TIME, Builder, steps_run
from tests.e2e.soundness import faults, leftovers
from tests.e2e.test_bad_input import BUILD, says

from pybuild.runtime.verify.archives import verify_layout

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.user]

COPIED = """\
FROM scratch
COPY files /files/
COPY --chown=7:9 --chmod=4751 files/a /tool
WORKDIR /work/deep
"""
STEPS = """\
FROM base AS made
RUN echo team:x:70: >>/etc/group && echo one:x:50:70::/home/one:/bin/sh >>/etc/passwd && \\
    mkdir -m 750 /home/one && chown 50:70 /home/one
RUN mkdir /own && touch /own/a /own/b && chown 50:70 /own/a && chown -R 1000:1000 /own/b && chown 65000 /own
RUN chmod 4755 /own/a; mkfifo /own/pipe; ln /own/b /own/b2; ln -s /nowhere /own/link
USER one
WORKDIR /home/one
RUN id -u >id; id -G >groups; touch mine; umask 077; mkdir private
FROM base
COPY --from=made / /
COPY --from=made --chown=one:team /own/b /own/c
USER one
RUN rm -r private; cat /var/data/two >two; test "$(stat -c %u /own/c)" = 50
USER 0
RUN rm -r /var/data /home/one/two; mkdir /var/data
"""
HOST = "FROM base\nRUN mkdir -p /made && echo hello >/made/file && chown 5:6 /made/file && cat /made/file\nUSER 5:6\n"


def archive(builder: Builder, context: Path, *flags: str) -> bytes:
    out = builder.place / "out.tar"
    builder.build(*flags, "-o", f"type=oci,dest={out},rewrite-timestamp=true", context)
    assert verify_layout(str(out)) == []
    return out.read_bytes()


@pytest.mark.parametrize("name", ["copied", "steps", "host"])
def test_the_image_is_root_s(builder: Builder, user_builder: Builder, name: str) -> None:
    dockerfile = {"copied": COPIED, "steps": STEPS, "host": HOST}[name]
    flags = ["--build-context=base=host:sh,cat,mkdir,chown"] if name == "host" else []
    images = []
    for one in (builder, user_builder):
        context = one.context("context", dockerfile, **{"files/a": "a", "files/b/c": "c"})
        images.append(archive(one.in_environment(**FIXED_TIME), context, *flags))
    assert images[0] == images[1]
    assert faults(user_builder.store) == []
    assert leftovers(user_builder.store) == []


def test_file_capabilities(user_builder: Builder) -> None:
    """A capability set in an image's layer comes out of the user's store as it went in."""
    context = user_builder.context("context", "FROM base\nRUN touch /x\n")
    layout = user_builder.place / "layout"
    user_builder.build("-o", f"type=oci,tar=false,dest={layout}", context)
    assert verify_layout(str(layout)) == []
    second = user_builder.context("second", "FROM base\nCOPY --from=base /var/capable /copy\n")
    out = user_builder.place / "image.tar"
    user_builder.build("-o", f"type=tar,dest={out}", second)
    import tarfile

    with tarfile.open(out) as opened:
        headers = {member.name.lstrip("./"): member.pax_headers for member in opened}
    for path in ("var/capable", "copy"):
        assert headers[path]["SCHILY.xattr.security.capability"].encode("latin-1", "replace")[:4] != b"", path
    assert (
        headers["copy"]["SCHILY.xattr.security.capability"]
        == headers["var/capable"]["SCHILY.xattr.security.capability"]
    )


def test_an_unchanged_build_is_cached(user_builder: Builder) -> None:
    context = user_builder.context("context", STEPS)
    user_builder.build(context, "-t", "one")
    assert steps_run(user_builder.build(context, "-t", "two")) == []


def test_local_output_belongs_to_the_user(user_builder: Builder) -> None:
    context = user_builder.context("context", STEPS)
    tree = user_builder.place / "tree"
    user_builder.build(context, "-o", f"type=local,dest={tree}")
    owners = {os.lstat(path).st_uid for path in (tree, *tree.rglob("*"))}
    assert owners == {user_builder.uid}
    assert stat.S_IMODE(os.lstat(tree / "var" / "tool").st_mode) == 0o4755


def test_prune_removes_what_the_user_cannot(user_builder: Builder) -> None:
    context = user_builder.context("context", STEPS)
    user_builder.build(context, "-t", "one")
    user_builder.own(user_builder.place / "home")
    as_user = [
        "setpriv",
        f"--reuid={user_builder.uid}",
        "--clear-groups",
        "rm",
        "-r",
        str(user_builder.store),
    ]
    removed = subprocess.run(as_user, capture_output=True, check=False, timeout=60)
    assert removed.returncode != 0, "rm could do it: the test shows nothing"
    assert any(user_builder.store.rglob("*"))
    user_builder.run("prune", "--all", "--force")
    left = [path for path in user_builder.store.rglob("*") if not path.name.endswith(".lock")]
    assert left == []
    user_builder.build(context, "-t", "one")


def test_without_sub_ids(ordinary_user: int, user_builder: Builder) -> None:
    """The files are hidden in a mount namespace of the process's own."""
    empty = user_builder.place / "empty"
    empty.write_text("")
    hide = 'mount --bind "$0" /etc/subuid && mount --bind "$0" /etc/subgid && exec "$@"'
    context = user_builder.context("context", "FROM base\nRUN true\n")
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        hide,
        str(empty),
        *user_builder.command(user_builder.words([context])),
    ]
    done = subprocess.run(
        command, env=user_builder.variables(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == BUILD, done.stderr
    for word in ("/etc/subuid", "/etc/subgid", "pybuild-test:", ":65536"):
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_root_refuses_the_store_of_a_user(builder: Builder, user_builder: Builder) -> None:
    context = user_builder.context("context", "FROM base\nRUN true\n")
    user_builder.build(context, "-t", "one")
    theirs = builder.with_store(user_builder.store)
    says(theirs.build(context, "-t", "two", code=BUILD), "another user (pybuild-test)", "PYBUILD_ROOT")
    assert faults(user_builder.store) == []
    assert steps_run(user_builder.build(context, "-t", "three")) == []
