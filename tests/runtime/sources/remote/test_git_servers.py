"""Git repositories: what servers can do, who is let in, what goes wrong."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest
from tests.runtime.sources.remote.conftest import FILES, TREE, Child, Place, Repositories, git, resolved, url
from tests.runtime.sources.remote.webserver import Handler, Web, dumb_git, smart_git

from pybuild.compiler.ops import SourceOp
from pybuild.lang.diagnostics import Cancelled, UserError, render
from pybuild.runtime.sources import gitcommand
from pybuild.runtime.sources.gitrepository import FetchError
from pybuild.runtime.sources.gitrequest import GitRequest

pytestmark = pytest.mark.long

# What servers can do


def test_a_server_that_serves_files(place: Place, web: Web, repositories: Repositories) -> None:
    web.rules.append(dumb_git(repositories.root))
    first = repositories.make("app", FILES)
    second = repositories.commit("app", {"a": "two\n"})
    assert place.files(place.fetch(git(url(web))))["a"] == b"two\n"
    assert place.tree(place.fetch(git(url(web), first))) == TREE
    assert place.again().files(place.fetch(git(url(web), second)))["a"] == b"two\n"


def test_a_server_that_gives_no_commit_by_its_hash(
    place: Place, web: Web, repositories: Repositories, commit: str
) -> None:
    """Protocol 0 without permission for hashes: everything is fetched then, also where a shallow part is."""
    second = repositories.commit("app", {"a": "two\n"})

    def old(handler: Handler) -> bool:
        del handler.headers["Git-Protocol"]
        return False

    web.rules.insert(0, old)
    place.fetch(git(url(web), "main"))
    assert place.tree(place.fetch(git(url(web), commit))) == TREE
    assert resolved(place, git(url(web), "main")) == second


def test_a_git_daemon(place: Place, repositories: Repositories) -> None:
    daemon = Path(subprocess.check_output(["git", "--exec-path"], text=True).strip()) / "git-daemon"
    if not daemon.exists():
        pytest.skip("needs git-daemon")
    repositories.make("app", FILES)
    port = _free_port()
    command = [str(daemon), "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
    environment = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    process = subprocess.Popen([*command, f"--base-path={repositories.root}"], env=environment)
    try:
        _wait_for(port)
        assert place.tree(place.fetch(git(f"git://127.0.0.1:{port}/app.git", "main"))) == TREE
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(port: int) -> None:
    import socket

    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise AssertionError("no server")


# Ways in


@pytest.fixture
def locked(web: Web, repositories: Repositories) -> list[str]:
    """A server that wants an Authorization header; those that it got."""
    got: list[str] = []

    def check(handler: Handler) -> bool:
        got.append(handler.headers.get("Authorization", ""))
        if got[-1] in ("Basic eC1hY2Nlc3MtdG9rZW46dG9rZW4=", "Bearer abc", "Basic bWU6cEBzcw=="):
            return False
        handler.answer(401, b"", {"WWW-Authenticate": 'Basic realm="git"'})
        return True

    web.rules[:] = [check, smart_git(repositories.root)]
    repositories.make("app", FILES)
    return got


def test_tokens_and_headers_by_secret(place: Place, web: Web, locked: list[str]) -> None:
    for secrets in (
        {"GIT_AUTH_TOKEN": b"token\n"},
        {"GIT_AUTH_HEADER": b"Bearer abc", "GIT_AUTH_TOKEN": b"wrong"},
        {f"GIT_AUTH_TOKEN.{web.host}": b"token", "GIT_AUTH_HEADER": b"wrong"},
    ):
        place.again().given.values = secrets
        assert resolved(place, git(url(web), "main"))
    assert place.tree(place.fetch(git(url(web), "main"))) == TREE
    place.again().given.values = {"MINE": b"token"}
    assert resolved(place, git(url(web), "main", auth_token_secret="MINE"))
    place.again().given.values = {"GIT_AUTH_HEADER": b"a\r\nb"}
    with pytest.raises(UserError, match="control characters"):
        resolved(place, git(url(web), "main"))


@pytest.mark.parametrize(
    "secret",
    [
        {"GIT_AUTH_TOKEN": b"token"},
        {"GIT_AUTH_HEADER": b"Bearer abc"},
        {"GIT_AUTH_HEADER": b"basic bWU6cEBzcw=="},
    ],
)
def test_another_host_gets_no_secret(
    place: Place,
    web: Web,
    other: Web,
    locked: list[str],
    repositories: Repositories,
    secret: dict[str, bytes],
) -> None:
    serve, check = smart_git(repositories.root), web.rules[0]
    got: list[str] = []

    def noted(handler: Handler) -> bool:
        got.append(handler.headers.get("Authorization", ""))
        return serve(handler)

    other.rules[:] = [noted]
    web.rules[:] = [check, lambda handler: handler.redirect(other.url(handler.path))]
    place.given.values = secret
    op = git(url(web), "main")
    with pytest.raises(FetchError) as raised:
        place.fetch(op)
    assert "the server redirects" in render(raised.value.diagnostic)
    assert any(locked)
    assert not any(got)


def test_a_redirect_on_the_same_host_keeps_the_token(
    place: Place, web: Web, locked: list[str], repositories: Repositories
) -> None:
    web.rules.insert(
        0, lambda handler: "/old.git" in handler.path and handler.redirect(handler.path.replace("old", "app"))
    )
    place.given.values = {"GIT_AUTH_TOKEN": b"token"}
    assert place.tree(place.fetch(git(url(web, "old"), "main"))) == TREE


def test_without_a_way_in_the_error_tells_of_one(place: Place, web: Web, locked: list[str]) -> None:
    with pytest.raises(FetchError) as raised:
        resolved(place, git(url(web).replace("://", "://me:wrong@"), "main"))
    text = render(raised.value.diagnostic)
    assert "GIT_AUTH_TOKEN" in text
    assert "wrong" not in text


def test_no_secret_is_seen_by_others_or_kept(
    place: Place, web: Web, locked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: set[str] = set()

    def watch(handler: Handler) -> bool:
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    lines.add(Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode())
                except OSError:
                    continue
        return False

    web.rules.insert(0, watch)
    place.given.values = {"GIT_AUTH_TOKEN": b"token"}
    place.fetch(git(url(web), "main", keep_git_dir=True))
    place.again().given.values = {}
    place.fetch(git(url(web).replace("://", "://me:p%40ss@"), "main", keep_git_dir=True))
    assert any("ls-remote" in line for line in lines)
    assert any("remote-http" in line for line in lines)
    for hidden in ("eC1hY2Nlc3MtdG9rZW46dG9rZW4", "p%40ss", "p@ss"):
        assert not [line for line in lines if hidden in line]
        for path in (place.directory / "store" / "git").rglob("*"):
            assert path.is_dir() or hidden.encode() not in path.read_bytes()


# What goes wrong


@pytest.mark.parametrize("ref", ["-f", "--upload-pack=touch x", "a b", "a..b", "a~1", "a^{tree}", "x\n"])
def test_refs_that_are_none(place: Place, ref: str) -> None:
    op = SourceOp(f"git://h/r.git#{ref}", {"git.fullurl": "https://h/r.git"})
    with pytest.raises(UserError, match="invalid git ref"):
        resolved(place, op)


@pytest.mark.parametrize(
    "remote", ["-u@h:r", "ssh://-oProxyCommand=x/r", "file:///etc", "ext::sh", "https://h/a\nb", "/etc"]
)
def test_addresses_that_are_none(place: Place, remote: str) -> None:
    op = SourceOp("git://h/r#main", {"git.fullurl": remote})
    with pytest.raises(UserError, match="address of a git repository"):
        resolved(place, op)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("git.sig.pubkey", "x", r"does not execute git\.sig\.pubkey of a source"),
        ("git.mtime", "now", r"invalid value 'now' of git\.mtime"),
    ],
)
def test_attributes_that_are_none(attribute: str, value: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        GitRequest(SourceOp("git://h/r", {attribute: value}))


def test_git_is_missing_or_old(
    place: Place, web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gitcommand, "_program", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="git is not installed") as raised:
        resolved(place, git(url(web), "main"))
    assert "install it: " in render(raised.value.diagnostic)
    fake = tmp_path / "git"
    fake.write_text("#!/bin/sh\necho git version 2.25.1\n")
    fake.chmod(0o755)
    with pytest.raises(UserError, match=r"git 2\.25: version 2\.31 or newer"):
        resolved(place, git(url(web), "main"))


def test_cancelling_ends_git_and_all_it_started(place: Place, web: Web) -> None:
    waiting, over = threading.Event(), threading.Event()

    def hang(handler: Handler) -> bool:
        waiting.set()
        over.wait(60)
        return True

    web.rules.append(hang)

    def cancel() -> None:
        waiting.wait()
        place.cancellation.cancel()

    threading.Thread(target=cancel, daemon=True).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        resolved(place, git(url(web), "main"))
    assert time.monotonic() - begun < 30
    over.set()
    assert not _running(web.host)


def _running(text: str) -> list[str]:
    """Command lines of git's processes that hold `text`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in line and "git" in line:
                found.append(line)
    return found


def test_a_killed_build_leaves_a_repository_that_serves_the_next(
    place: Place, web: Web, repositories: Repositories, commit: str, tmp_path: Path
) -> None:
    place.fetch(git(url(web), "main"))
    place.close()
    repositories.commit("app", {"a": "two\n"})
    waiting = threading.Event()
    stuck = [True]

    def hang(handler: Handler) -> bool:
        if stuck[0] and handler.command == "POST" and b"command=fetch" in handler.body:
            waiting.set()
            time.sleep(1)
        return False

    web.rules.insert(0, hang)

    def build() -> object:
        return Place(tmp_path).fetch(git(url(web), "main"))

    child = Child(build)
    assert waiting.wait(10)
    child.kill()
    stuck[0] = False
    deadline = time.monotonic() + 3
    while _running(web.host) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running(web.host)
    (bare,) = (tmp_path / "store" / "git").glob("*.git")
    (bare / "shallow.lock").write_text("")
    (bare / "objects" / "pack" / "tmp_pack_x").write_text("half")
    place._open()
    assert place.files(place.fetch(git(url(web), "main")))["a"] == b"two\n"
    assert not (bare / "objects" / "pack" / "tmp_pack_x").exists()


def test_a_damaged_repository_is_made_anew(place: Place, web: Web, commit: str) -> None:
    place.fetch(git(url(web), "main"))
    (bare,) = (place.directory / "store" / "git").glob("*.git")
    for pack in (bare / "objects" / "pack").iterdir():
        data = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(data[: len(data) // 2])
    assert place.again().tree(place.fetch(git(url(web), "main"))) == TREE
    (bare / "HEAD").unlink()
    assert place.again().tree(place.fetch(git(url(web), "main"))) == TREE


def test_builds_at_once_share_one_repository(
    place: Place, web: Web, repositories: Repositories, commit: str, tmp_path: Path
) -> None:
    place.close()

    def build() -> object:
        own = Place(tmp_path)
        try:
            return own.tree(own.fetch(git(url(web), "main")))
        finally:
            own.close()

    children = [Child(build) for _ in range(3)]
    assert [child.result() for child in children] == [TREE] * 3
    place._open()
    assert len(list((tmp_path / "store" / "git").iterdir())) == 1
