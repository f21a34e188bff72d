"""Directories of the client: what is chosen of them, and what is sent again."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from tests.daemon.client.files import Directories, upload
from tests.daemon.client.sessions import Session
from tests.daemon.client.solving import Build, solve
from tests.daemon.wire.observing import RUNS, Entry, failure, folder, link, refused, sh, text, tree
from tests.differential.casebook import entries
from tests.differential.contexts import tar_bytes
from tests.support.daemons import Peer

from pybuild.compiler.state import State, copy

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A directory like a project's."""
    root = tmp_path / "context"
    for path in ("src/lib", "docs", "empty"):
        (root / path).mkdir(parents=True)
    for path, content in {
        "a.txt": "a\n",
        "b.md": "b\n",
        "src/x.c": "x\n",
        "src/lib/y.c": "y\n",
        "docs/d.md": "d\n",
    }.items():
        (root / path).write_text(content)
    (root / "src/x.c").chmod(0o600)
    (root / "link").symlink_to("src/lib/y.c")
    (root / "src/up").symlink_to("../docs")
    return root


@pytest.fixture
def name() -> str:
    """Of a directory that no other test names, so that a daemon has nothing of it."""
    return f"dir{uuid.uuid4().hex[:8]}"


def local(name: str, **options: object) -> State:
    """Sent anew in each build, as clients ask for."""
    return State.local(name, unique=uuid.uuid4().hex, **options)  # type: ignore[arg-type]


ALL = {
    "a.txt": text("a\n"),
    "b.md": text("b\n"),
    "docs": folder(),
    "docs/d.md": text("d\n"),
    "empty": folder(),
    "link": link("src/lib/y.c"),
    "src": folder(),
    "src/lib": folder(),
    "src/lib/y.c": text("y\n"),
    "src/up": link("../docs"),
    "src/x.c": text("x\n", 0o600),
}


def test_all_of_a_directory(peer: Peer, context: Path, name: str) -> None:
    (context / "a.txt").chmod(0o4755)
    os.chown(context / "b.md", 12, 34)
    os.utime(context / "b.md", ns=(1, 1_500_000_000_000_000_000))
    directories = Directories({name: context})
    found = tree(peer, local(name), directories.offer())
    assert found == {**ALL, "a.txt": text("a\n", 0o4755)}
    assert found["b.md"].mtime == 1_500_000_000
    assert [one.name for one in directories.asked] == [name]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["src"]}, ["src", "src/lib", "src/lib/y.c", "src/up", "src/x.c"]),
        ({"include": ["*.md"]}, ["b.md"]),
        ({"include": ["**/*.md"]}, ["b.md", "docs", "docs/d.md"]),
        ({"exclude": ["src", "*.txt"]}, ["b.md", "docs", "docs/d.md", "empty", "link"]),
        ({"exclude": ["**", "!docs"]}, ["docs", "docs/d.md"]),
        ({"include": ["src"], "exclude": ["src/lib"]}, ["src", "src/up", "src/x.c"]),
        ({"follow_paths": ["link"]}, ["link", "src", "src/lib", "src/lib/y.c"]),
        ({"follow_paths": ["src/up/d.md"]}, ["docs", "docs/d.md", "src", "src/up"]),
        ({"include": ["nothing"]}, []),
    ],
)
def test_what_is_chosen(
    peer: Peer, context: Path, name: str, options: dict[str, list[str]], expected: list[str]
) -> None:
    assert sorted(tree(peer, local(name, **options), Directories({name: context}).offer())) == expected


def test_names_that_are_not_ascii(peer: Peer, context: Path, name: str) -> None:
    (context / "größe").write_text("groß\n")
    (context / "a b%41").write_text("sign\n")
    directories = Directories({f"{name} é": context})
    found = tree(peer, local(f"{name} é", include=["größe", "a b%41"]), directories.offer())
    assert found == {"größe": text("groß\n"), "a b%41": text("sign\n")}


def test_several_names_of_a_file(peer: Peer, context: Path, name: str) -> None:
    (context / "z.txt").hardlink_to(context / "a.txt")
    found = tree(peer, local(name), Directories({name: context}).offer())
    assert found["a.txt"] == text("a\n")
    assert found["z.txt"] in (text("a\n"), Entry("h", 0o644, (0, 0), b"a.txt"))


def test_attributes(peer: Peer, context: Path, name: str) -> None:
    try:
        os.setxattr(context / "a.txt", "user.mine", b"value")
    except OSError:
        pytest.skip("no user attributes on this file system")
    found = tree(peer, local(name), Directories({name: context}).offer())
    assert found["a.txt"].xattrs == {"user.mine": "value"}


def again(peer: Peer, directories: Directories, name: str, **options: object) -> dict[str, Entry]:
    """The directory as a build of the same client gets it."""
    return tree(peer, local(name, **options), directories.offer(), shared_key=f"key of {name}")


def test_only_what_changed_is_sent_again(peer: Peer, context: Path, name: str) -> None:
    directories = Directories({name: context})
    again(peer, directories, name)
    again(peer, directories, name)
    (context / "docs/d.md").write_text("changed\n")
    (context / "new").write_text("new\n")
    (context / "b.md").unlink()
    found = again(peer, directories, name)
    first, second, third = (one.sent for one in directories.asked)
    assert sorted(first.requested) == ["a.txt", "b.md", "docs/d.md", "src/lib/y.c", "src/x.c"]
    assert second.announced == first.announced
    assert second.requested == []
    assert sorted(third.requested) == ["docs/d.md", "new"]
    expected = {**ALL, "docs/d.md": text("changed\n"), "new": text("new\n")}
    del expected["b.md"]
    assert found == expected


def test_a_client_is_known_by_its_key(peer: Peer, context: Path, name: str) -> None:
    requested = []
    for key in ("one", "one", "two"):
        directories = Directories({name: context})
        tree(peer, local(name), directories.offer(), shared_key=f"{key} of {name}")
        requested.append(len(directories.asked[0].sent.requested))
    assert requested == [5, 0, 5]


def test_a_file_of_other_times_is_sent_again(peer: Peer, context: Path, name: str) -> None:
    directories = Directories({name: context})
    again(peer, directories, name)
    os.utime(context / "a.txt", ns=(5, 5_000_000_000))
    assert again(peer, directories, name)["a.txt"].mtime == 5
    assert directories.asked[1].sent.requested == ["a.txt"]


def test_every_file_when_nothing_is_compared(peer: Peer, context: Path, name: str) -> None:
    directories = Directories({name: context})
    again(peer, directories, name)
    again(peer, directories, name, differ="none")
    assert len(directories.asked[1].sent.requested) == 5


def test_metadata_alone(ours: Peer, context: Path, name: str) -> None:
    """Contents come only of the exceptions."""
    directories = Directories({name: context})
    state = local(name, metadata_only=True, metadata_exceptions=["docs/d.md"])
    found = tree(ours, state, directories.offer())
    assert directories.asked[0].sent.requested == ["docs/d.md"]
    assert found["docs/d.md"] == text("d\n")


def test_a_step_runs_again_when_what_it_uses_changes(
    peer: Peer, base: State, context: Path, name: str
) -> None:
    script = f"cat /src/x.c # {name}"
    offers = [Directories({name: context}).offer()]
    cached = []
    for change in ("", "docs/d.md", "src/x.c"):
        if change:
            (context / change).write_text("other\n")
        run = sh(base.file(copy(local(name), "/src", "/src")), script)
        solved = solve(peer.daemon, Build(run, offers=offers, shared_key=name, entitlements=RUNS))
        cached.append(solved.progress.named(script).cached)
    assert cached == [False, True, False]


def test_one_answer_in_a_session(peer: Peer, base: State, context: Path, name: str) -> None:
    """A source is what it was earlier in the session."""
    directories = Directories({name: context})
    run = sh(base.file(copy(local(name), "/src", "/src")), f"cat /src/x.c # once {name}")
    with Session(peer.daemon, [directories.offer()], shared_key=name) as session:
        solve(peer.daemon, Build(run, session=session, entitlements=RUNS))
        (context / "src/x.c").write_text("other\n")
        solved = solve(peer.daemon, Build(run, session=session, entitlements=RUNS))
    assert solved.progress.named("# once").cached
    assert len(directories.asked) == 1


def test_a_directory_that_is_not_offered(peer: Peer, context: Path) -> None:
    failed = failure(peer, State.local("other"), Directories({"context": context}).offer())
    assert 'no access allowed to dir "other"' in failed.message


def test_no_directories_are_offered(peer: Peer) -> None:
    assert "no local sources enabled" in failure(peer, State.local("any")).message


def test_an_archive_that_is_uploaded(peer: Peer) -> None:
    archive = tar_bytes(entries("f  one\n"))
    state = State.http("http://buildkit-session/my-archive", filename="context")
    found = tree(peer, state, upload({"my-archive": archive}))
    assert found["context"].content == archive
    assert refused(peer, State.http("http://buildkit-session/none"), upload({"my-archive": archive})).message
