"""Steps: what is mounted in them, and what is left of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.daemon.client.offers import Secrets
from tests.daemon.client.solving import Build, solve
from tests.daemon.wire.observing import RUNS, done, failure, output, sh, tree
from tests.support.daemons import RUN, Peer

from pybuild.compiler.ops import CacheSharing, ContentCache
from pybuild.compiler.state import AnyMount, FileMount, State, bind, mkdir, mkfile, secret, tmpfs
from pybuild.compiler.state import cache as any_cache

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]

SCRATCH = State.scratch()
DATA = SCRATCH.file(
    mkdir("/d", mode=0o750, owner=(3, 4))
    .mkfile("/d/x", b"x\n", mode=0o640, owner=(7, 8))
    .mkfile("/y", b"y\n")
)


def cache(target: str, id: str, **options: Any) -> FileMount:
    """A cache of this run's."""
    return any_cache(target, f"{id}-{RUN}", **options)


def test_another_state(peer: Peer, base: State) -> None:
    script = "cat /m/d/x /m/y >/out; stat -c '%a %u:%g' /m/d /m/d/x >>/out"
    assert output(peer, sh(base, script, bind("/m", DATA))) == "x\ny\n750 3:4\n640 7:8\n"


def test_a_directory_of_it(peer: Peer, base: State) -> None:
    assert output(peer, sh(base, "ls /m >/out", bind("/m", DATA, selector="/d"))) == "x\n"


def test_a_file_of_it(peer: Peer, base: State) -> None:
    run = sh(base, "cat /etc/conf.d/one >/out", bind("/etc/conf.d/one", DATA, selector="d/x", readonly=True))
    assert output(peer, run) == "x\n"


def test_a_selected_path_that_is_not_there(peer: Peer, base: State) -> None:
    failed = failure(peer, sh(base, "true", bind("/m", DATA, selector="/nothing")))
    assert "/nothing" in failed.message
    assert "not found" in failed.message or "no such file or directory" in failed.message


def test_a_read_only_one(peer: Peer, base: State) -> None:
    script = "echo >/m/new && echo wrote >/out || echo refused >/out"
    assert output(peer, sh(base, script, bind("/m", DATA, readonly=True))) == "refused\n"


def test_what_is_written_to_one_is_an_output(peer: Peer, base: State) -> None:
    run = sh(base, "echo new >/m/d/x; rm /m/y; echo root >/r", bind("/m", DATA))
    left = tree(peer, run.mount("/m"))
    assert {path: entry.content for path, entry in left.items()} == {"d": b"", "d/x": b"new\n"}
    assert output(peer, sh(base, "cat /m/y >/out", bind("/m", DATA))) == "y\n"


def test_outputs_are_apart(peer: Peer, base: State) -> None:
    run = sh(base, "echo 1 >/one/f; echo 2 >/two/f", bind("/one", SCRATCH), bind("/two", SCRATCH))
    joined = sh(
        base,
        "cat /a/f /b/f >/out; ls / >>/out",
        bind("/a", run.mount("/one")),
        bind("/b", run.mount("/two")),
        readonly_root=False,
    )
    lines = output(peer, joined).splitlines()
    assert lines[:2] == ["1", "2"]
    assert "one" not in lines


def test_writes_to_one_without_output_are_dropped(peer: Peer, base: State) -> None:
    run = sh(base, "echo new >/m/new; cat /m/new >/out", bind("/m", DATA, output=False))
    again = sh(run, "ls /n >>/out", bind("/n", DATA, output=False))
    assert output(peer, again) == "new\nd\ny\n"


def test_one_in_another(peer: Peer, base: State) -> None:
    inner = SCRATCH.file(mkfile("/deep", b"deep\n"))
    run = sh(base, "cat /m/d/in/deep >/out; ls /m/d >>/out", bind("/m/d/in", inner), bind("/m", DATA))
    assert output(peer, run) == "deep\nin\nx\n"


def test_the_root_of_another_mount_point_stays(peer: Peer, base: State) -> None:
    """A directory made for a mount is not kept, one that was there is."""
    run = sh(base, "true", bind("/made/for/it", DATA, readonly=True), bind("/var/data", DATA, readonly=True))
    assert output(peer, sh(run, "ls / /var/data >/out")).count("sub") == 1


@pytest.mark.parametrize("mode", list(ContentCache))
def test_content_caches(ours: Peer, base: State, mode: ContentCache) -> None:
    """Steps that differ in nothing but how a mount was made are one if its content is looked at."""
    mount = bind("/m", DATA, readonly=True, content_cache=mode)
    assert output(ours, sh(base, "cat /m/y >/out", mount)) == "y\n"


def test_memory(peer: Peer, base: State) -> None:
    script = (
        "grep ' /t ' /proc/mounts | cut -d' ' -f3 >/out; echo x >/t/x; "
        "df -k /t | tail -n1 | tr -s ' ' | cut -d' ' -f2 >>/out"
    )
    run = sh(base, script, tmpfs("/t", size=4 << 20))
    assert output(peer, run) == "tmpfs\n4096\n"
    assert output(peer, sh(run, "ls -A /t 2>/dev/null >/out || true")) == ""


def test_a_cache_keeps_what_is_written(peer: Peer, base: State) -> None:
    first = sh(base, "echo 1 >/c/f; touch /kept", cache("/c", "kept"))
    assert output(peer, sh(first, "cat /other/f >/out", cache("/other", "kept"))) == "1\n"
    assert output(peer, sh(base, "ls /c | wc -l >/out", cache("/c", "another"))) == "0\n"


def test_a_cache_is_no_part_of_the_result(peer: Peer, base: State) -> None:
    run = sh(base, "echo 1 >/cc/f", cache("/cc", "apart"))
    assert output(peer, sh(run, "ls -A /cc 2>/dev/null >/out || true")) == ""


def test_a_cache_begins_with_its_source(peer: Peer, base: State) -> None:
    mount = cache("/c", "filled", source=DATA, selector="d")
    assert (
        output(peer, sh(base, "cat /c/x >/out; stat -c %u:%g /c/x >>/out; echo z >/c/z", mount)) == "x\n7:8\n"
    )
    assert output(peer, sh(base, "ls /c >/out; # again", mount)) == "x\nz\n"


def test_a_read_only_cache(peer: Peer, base: State) -> None:
    done(peer, sh(base, "echo 1 >/c/f # for others to read", cache("/c", "readable")))
    script = "cat /c/f >/out; touch /c/new 2>/dev/null && echo wrote >>/out || echo refused >>/out"
    assert output(peer, sh(base, script, cache("/c", "readable", readonly=True))) == "1\nrefused\n"


def _meeting(peer: Peer, base: State, sharing: CacheSharing) -> list[str]:
    """Whether each of two builds whose steps use a cache at the same time met the other in it."""
    script = """
        me=$1; touch /c/$me; n=0
        while [ $n -lt 8 ]; do ls /c; sleep 0.1; n=$((n+1)); done | sort -u | wc -l >/out
        rm /c/$me
    """
    found: dict[str, str] = {}

    def build(name: str) -> None:
        mount = cache("/c", f"met-{sharing.name}", sharing=sharing)
        # A cache's name and sharing are no part of a step's key: the last argument makes them three.
        run = base.run(["sh", "-c", script, "sh", name, sharing.name], mounts=[mount])
        found[name] = output(peer, run).strip()

    threads = [threading.Thread(target=build, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sorted(found.values())


@pytest.mark.parametrize(
    ("sharing", "seen"),
    [
        (CacheSharing.SHARED, ["2", "2"]),
        (CacheSharing.PRIVATE, ["1", "1"]),
        (CacheSharing.LOCKED, ["1", "1"]),
    ],
)
def test_sharing_of_caches(peer: Peer, base: State, sharing: CacheSharing, seen: list[str]) -> None:
    assert _meeting(peer, base, sharing) == seen


def test_secrets_as_files(peer: Peer, base: State) -> None:
    offered = Secrets({"one": b"first", "two": b"\0\xff"})
    mounts: list[AnyMount] = [
        secret("/run/secrets/one", id="one"),
        secret("/etc/two", id="two", uid=5, gid=6, mode=0o644),
        secret("/none", id="none", optional=True),
    ]
    script = "stat -c '%n %a %u:%g %s' /run/secrets/one /etc/two >/out; cat /run/secrets/one >>/out; ls /none >>/out"
    run = sh(base, f"{script} 2>/dev/null; true", *mounts)
    assert output(peer, run, offered.offer()) == ("/run/secrets/one 400 0:0 5\n/etc/two 644 5:6 2\nfirst")
    assert set(offered.asked) == {"one", "two", "none"}


def test_a_secret_is_in_no_result(peer: Peer, base: State) -> None:
    run = sh(base, "cat /hidden >/dev/null", secret("/hidden", id="s"))
    offered = Secrets({"s": b"do not keep me"})
    after = sh(run, "cat /hidden /etc/hidden 2>/dev/null >/out || true")
    assert output(peer, after, offered.offer()) == ""


def test_a_missing_secret_file(peer: Peer, base: State) -> None:
    run = sh(base, "true # without its secret", secret("/s", id="nosuch"))
    assert "secret nosuch: not found" in failure(peer, run, Secrets({}).offer()).message
    assert "no session" in failure(peer, run).message or "not found" in failure(peer, run).message


def test_a_secret_changes_no_key(peer: Peer, base: State) -> None:
    run = sh(base, "echo ran; # with a secret", secret("/s", id="s"))
    for value, cached in ((b"1", False), (b"2", True)):
        solved = solve(peer.daemon, Build(run, offers=[Secrets({"s": value}).offer()], entitlements=RUNS))
        assert solved.progress.named("echo ran; # with a secret").cached is cached
