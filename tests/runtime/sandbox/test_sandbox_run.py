"""What a step sees, and what comes back."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from tests.runtime.sandbox.stage import Box, Stage, eventually, make_root, processes, word_of

from pybuild.compiler.ops import HostIP, NetMode, ProxyEnv, SecurityMode, Ulimit
from pybuild.runtime.sandbox.errors import NotStarted, SandboxError
from pybuild.runtime.sandbox.step import StepMount
from pybuild.runtime.sandbox.users import Identity
from pybuild.runtime.solver.types import Cancellation

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_capabilities_seccomp_and_privileges(any_box: Box) -> None:
    status = any_box.inside(lambda stage: stage.sh("cat /proc/self/status")).out
    assert "CapEff:\t00000000a80425fb" in status
    assert "CapPrm:\t00000000a80425fb" in status
    assert "CapBnd:\t00000000a80425fb" in status
    assert "CapInh:\t0000000000000000" in status
    assert "CapAmb:\t0000000000000000" in status
    assert "NoNewPrivs:\t0" in status
    assert "Seccomp:\t2" in status
    assert "Umask:\t0022" in status


CALLS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    result = libc.syscall(*[ctypes.c_long(a) for a in arguments])
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]
print(call(250, 6, 0, 0), call(272, 0x10000000), call(165, 0, 0, 0, 0, 0), call(425, 1, 0), call(435, 0, 0),
      call(135, 0x1000000), call(135, 0xffffffff), call(41, 38, 5, 0), call(41, 40, 1, 0), call(41, 1, 1, 0))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="system call numbers")
def test_seccomp_refuses_what_docker_refuses(any_box: Box) -> None:
    """keyctl, unshare(NEWUSER), mount, io_uring_setup are EPERM, clone3 ENOSYS; personality by value, socket by
    family (no AF_ALG, no AF_VSOCK)."""
    places = {sys.base_prefix, "/usr", "/lib", "/lib64"}
    mounts = [StepMount(place, place, readonly=True) for place in places if os.path.isdir(place)]
    result = any_box.inside(
        lambda stage: stage.run(os.path.realpath(sys.executable), "-c", CALLS, mounts=mounts)
    )
    assert result.out.split() == [*["EPERM"] * 4, "ENOSYS", "EPERM", "ok", "EPERM", "EPERM", "ok"], result.err


def test_masked_and_read_only_paths(any_box: Box) -> None:
    result = any_box.inside(
        lambda stage: stage.sh(
            "cat /proc/keys /proc/timer_list; ls /sys/firmware; "
            "echo 1 2>/dev/null >/proc/sys/kernel/panic || echo proc-ro; mkdir /sys/x 2>/dev/null || echo sys-ro"
        )
    )
    assert result.out == "proc-ro\nsys-ro\n"


def test_own_namespaces(box: Box) -> None:
    kinds = ("pid", "ipc", "uts", "mnt", "net")
    result = box.inside(
        lambda stage: stage.sh("for n in pid ipc uts mnt net; do readlink /proc/self/ns/$n; done; echo $$")
    )
    *spaces, first = result.out.split()
    assert first == "1"
    for kind, space in zip(kinds, spaces, strict=True):
        assert space != os.readlink(f"/proc/self/ns/{kind}")


def test_devices_outside_the_default_ones_cannot_be_opened(box: Box) -> None:
    script = (
        "mknod /tmp/disk b 254 0 && cat /tmp/disk | head -c 1; mknod /tmp/null c 1 3 && echo x >/tmp/null"
    )
    result = box.inside(lambda stage: stage.sh(script))
    assert result.code == 0
    assert "Operation not permitted" in result.err


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$; exit 4", 4), ("sh -c 'kill -6 $$'; exit $?", 134)],
)
def test_exit_codes(any_box: Box, script: str, code: int) -> None:
    """The kernel gives a pid namespace's first process no signal it doesn't handle, SIGKILL from within too."""
    assert any_box.inside(lambda stage: stage.sh(script)).code == code


def test_a_signal_shows_as_128_and_its_number(any_box: Box) -> None:
    """From outside only SIGKILL and SIGSTOP reach a first process without a handler."""

    word = word_of(any_box)

    def kill() -> None:
        assert eventually(lambda: len(processes(word)) == 1, 5)
        os.kill(processes(word)[0], 9)

    def killed_from_outside(stage: Stage) -> int:
        threading.Thread(target=kill).start()
        return stage.run("sleep", word).code

    assert any_box.inside(killed_from_outside) == 128 + 9


def test_a_missing_program_is_127_and_an_unusable_one_126(any_box: Box) -> None:
    missing, unusable = any_box.inside(lambda stage: (stage.run("no-such-program"), stage.run("/etc/passwd")))
    assert missing.code == 127
    assert "no-such-program" in missing.err
    assert unusable.code == 126
    assert "/etc/passwd" in unusable.err


def test_what_the_runtime_cannot_set_up_is_an_error(any_box: Box) -> None:
    mount = StepMount("/x", "/nowhere/at/all")
    with pytest.raises(NotStarted, match="nowhere"):
        any_box.inside(lambda stage: stage.run("true", mounts=[mount]))


def test_output_streams_completely_and_apart(any_box: Box) -> None:
    def digest(stage: Stage) -> tuple[int, str, int, str]:
        sums = {1: sha256(), 2: sha256()}
        sizes = {1: 0, 2: 0}

        def collect(stream: int, data: bytes) -> None:
            sums[stream].update(data)
            sizes[stream] += len(data)

        script = "yes 0123456789abcde | head -c 52428800 & yes error | head -c 1048576 >&2; wait"
        code = stage.sandbox.run(
            stage.step("sh", "-c", script), on_output=collect, cancellation=Cancellation()
        )
        return int(code), sums[1].hexdigest(), sizes[1], sums[2].hexdigest()

    code, out, size, err = any_box.inside(digest)
    assert (code, size) == (0, 52428800)
    assert out == sha256((b"0123456789abcde\n" * 3276800)[:52428800]).hexdigest()
    assert err == sha256((b"error\n" * 174763)[:1048576]).hexdigest()


def test_output_comes_while_the_step_runs(box: Box) -> None:
    def delays(stage: Stage) -> float:
        times: list[float] = []
        stage.sandbox.run(
            stage.step("sh", "-c", "echo a; sleep 0.5; echo b"),
            on_output=lambda *_: times.append(time.monotonic()),
            cancellation=Cancellation(),
        )
        return times[-1] - times[0]

    assert box.inside(delays) > 0.4


def test_an_exception_while_passing_output_on_ends_the_step(box: Box) -> None:
    def fail(stage: Stage) -> None:
        def broken(stream: int, data: bytes) -> None:
            raise ZeroDivisionError

        stage.sandbox.run(
            stage.step("sh", "-c", "echo x; sleep 100"), on_output=broken, cancellation=Cancellation()
        )

    before = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        box.inside(fail)
    assert time.monotonic() - before < 5


def test_environment(any_box: Box) -> None:
    proxy = ProxyEnv(http_proxy="http://p:1", no_proxy="localhost")

    def three(stage: Stage) -> list[str]:
        return [
            stage.run("env").out,
            stage.run("env", env=("PATH=/bin", "HOME=/h", "A=1", "nothing"), secret_env=["S=x y"]).out,
            stage.run("env", proxy_env=proxy).out,
        ]

    plain, given, proxied = any_box.inside(three)
    assert set(plain.splitlines()) == {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
    }
    assert set(given.splitlines()) == {"PATH=/bin", "HOME=/h", "A=1", "S=x y"}
    assert {"HTTP_PROXY=http://p:1", "http_proxy=http://p:1", "no_proxy=localhost"} < set(
        proxied.splitlines()
    )


def test_user_and_supplementary_groups(any_box: Box) -> None:
    identity = Identity(1000, 1001, (10, 63), "/home/app")
    result = any_box.inside(
        lambda stage: stage.sh(
            "id; echo $HOME; echo to-out >/dev/stdout; cat /proc/self/status", identity=identity
        )
    )
    assert result.out.startswith(
        "uid=1000(app) gid=1001(app) groups=10(wheel),63(audio),1001(app)\n/home/app\nto-out\n"
    )
    assert "CapEff:\t0000000000000000" in result.out


def test_working_directory_is_made_for_the_user(any_box: Box) -> None:
    identity = Identity(1000, 1001)
    (any_box.rootfs / "srv").mkdir()
    (any_box.rootfs / "link").symlink_to("/srv")
    result = any_box.inside(lambda stage: stage.sh("pwd; touch here", cwd="/link/a/b", identity=identity))
    assert result.code == 0, result.err
    made = any_box.rootfs / "srv" / "a" / "b"
    assert (made / "here").exists()
    assert (made.stat().st_uid, made.parent.stat().st_gid) == (1000, 1001)
    assert made.stat().st_mode & 0o7777 == 0o755


def test_working_directory_stays_inside_the_root(box: Box, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (box.rootfs / "escape").symlink_to(os.path.relpath(outside, box.rootfs) + "/../outside")
    box.inside(lambda stage: stage.run("true", cwd="/escape/x"))
    assert list(outside.iterdir()) == []


def test_hosts_and_resolv_conf(any_box: Box) -> None:
    def files(stage: Stage) -> list[str]:
        extra = (HostIP("db", "10.0.0.9"),)
        return [
            stage.sh("cat /etc/hosts; hostname").out,
            stage.sh("cat /etc/hosts; hostname", hostname="me", extra_hosts=extra).out,
            stage.sh("cat /etc/resolv.conf; echo x 2>/dev/null >>/etc/hosts || echo read-only").out,
        ]

    plain, named, resolver = any_box.inside(files)
    assert plain == (
        "127.0.0.1\tlocalhost buildkitsandbox\n::1\tlocalhost ip6-localhost ip6-loopback\nbuildkitsandbox\n"
    )
    assert "127.0.0.1\tlocalhost me\n" in named
    assert "10.0.0.9\tdb\nme\n" in named
    assert "nameserver " in resolver
    assert "read-only" in resolver


def test_mounts(any_box: Box, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("content\n")
    secret = tmp_path / "secret"
    secret.write_text("hidden\n")
    mounts = [
        StepMount("/in/side/scratch", size=1 << 20),
        StepMount("/in", str(source), readonly=False),
        StepMount("/ro", str(source), readonly=True),
        StepMount("/run/secrets/key", str(secret), readonly=True),
        StepMount("/dev/shm", size=2 << 20),
    ]
    script = (
        "cat /in/file /run/secrets/key; echo new >/in/new; echo x 2>/dev/null >/ro/file || echo ro; "
        "df -k /in/side/scratch /dev/shm | tr -s ' ' | grep -o '^tmpfs [0-9]*'"
    )
    result = any_box.inside(lambda stage: stage.sh(script, mounts=mounts))
    assert result.out == "content\nhidden\nro\ntmpfs 1024\ntmpfs 2048\n", result.err
    assert (source / "new").read_text() == "new\n"


def test_shared_memory_size(box: Box) -> None:
    script = "df -k /dev/shm | tail -n 1 | tr -s ' ' | grep -o 'shm [0-9]*'"
    sizes = box.inside(lambda stage: (stage.sh(script).out, stage.sh(script, shm_size=3 << 20).out))
    assert sizes == ("shm 65536\n", "shm 3072\n")


def snapshot(root: Path) -> dict[str, tuple[int, int, int]]:
    found = {}
    for path in (root, *root.rglob("*")):
        about = path.lstat()
        found[str(path.relative_to(root))] = (about.st_mode, about.st_uid, about.st_mtime_ns)
    return found


def test_only_the_mount_points_of_kernel_file_systems_stay_in_the_root(any_box: Box, tmp_path: Path) -> None:
    """As in BuildKit. No directory's time changes, /etc's included."""
    source = tmp_path / "source"
    source.mkdir()
    mounts = [StepMount("/cache", str(source)), StepMount("/tmp/deep", size=4096)]
    before = snapshot(any_box.rootfs)
    result = any_box.inside(lambda stage: stage.sh("ls -d /proc /sys /dev /cache /tmp/deep", mounts=mounts))
    assert result.code == 0
    after = snapshot(any_box.rootfs)
    assert {path: after[path] for path in before} == before
    assert sorted(after.keys() - before.keys()) == ["dev", "proc", "sys"]


def test_directories_above_a_mount_point_stay_unless_asked(box: Box) -> None:
    mounts = [StepMount("/a/b/c", size=4096)]
    box.inside(lambda stage: stage.run("true", mounts=mounts, remove_mount_stubs_recursive=True))
    assert not (box.rootfs / "a").exists()
    box.inside(lambda stage: stage.run("true", mounts=mounts))
    assert (box.rootfs / "a" / "b").is_dir()
    assert not (box.rootfs / "a" / "b" / "c").exists()


def test_what_a_step_puts_in_place_of_a_mount_point_stays(box: Box) -> None:
    """A file the image has is never removed, empty or not."""
    (box.rootfs / "etc" / "hosts").touch()
    box.inside(lambda stage: stage.run("true"))
    assert (box.rootfs / "etc" / "hosts").exists()


def test_ulimits(any_box: Box) -> None:
    limits = (Ulimit("nofile", 100, 200), Ulimit("core", -1, -1))
    result = any_box.inside(lambda stage: stage.sh("ulimit -Sn; ulimit -Hn; ulimit -c", ulimit=limits))
    assert result.out == "100\n200\nunlimited\n"


def test_an_unknown_ulimit_is_refused_by_name(box: Box) -> None:
    with pytest.raises(SandboxError, match="'nofiles'"):
        box.inside(lambda stage: stage.run("true", ulimit=(Ulimit("nofiles", 1, 1),)))


def test_a_read_only_root(any_box: Box) -> None:
    result = any_box.inside(lambda stage: stage.sh("touch /x", readonly=True))
    assert "Read-only file system" in result.err


def test_insecure_mode(any_box: Box) -> None:
    script = "cat /proc/self/status; mount -t tmpfs none /tmp && echo mounted; ls /dev/loop0"
    result = any_box.inside(lambda stage: stage.sh(script, security=SecurityMode.INSECURE))
    assert "Seccomp:\t0" in result.out
    assert "mounted\n/dev/loop0" in result.out
    effective = next(line for line in result.out.splitlines() if line.startswith("CapEff"))
    bounding = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd")
    )
    assert effective.split()[1] == bounding.split()[1]


def test_nothing_is_left_after_a_run(any_box: Box) -> None:
    def present(stage: Stage) -> set[str]:
        groups = (
            path
            for top in Path("/sys/fs/cgroup").iterdir()
            for path in top.glob(f"pybuild-{any_box.name}/*/")
        )
        files = (path for path in Path(stage.sandbox.directory).rglob("*") if ".cache" not in path.parts)
        return {*map(str, groups), *map(str, files), *Path("/proc/self/mountinfo").read_text().splitlines()}

    def leftovers(stage: Stage) -> set[str]:
        stage.run("true")
        before = present(stage)
        stage.run("true")
        stage.run("no-such-program")
        return present(stage) - before

    assert any_box.inside(leftovers) == set()
    assert not list((any_box.directory / "store" / "work" / any_box.name).iterdir())
    assert not any(
        any_box.name in name for top in Path("/sys/fs/cgroup").iterdir() for name in os.listdir(top)
    )


def test_many_steps_at_once(box: Box) -> None:
    roots = [make_root(box.directory / f"root-{number}") for number in range(24)]

    def many(stage: Stage) -> list[str]:
        def one(number: int) -> str:
            rootfs = os.fsencode(roots[number])
            return stage.sh(f"echo {number}; echo {number} >/tmp/{number}", rootfs=rootfs).out

        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(one, range(24)))

    assert box.inside(many) == [f"{number}\n" for number in range(24)]
    assert [os.listdir(root / "tmp") for root in roots] == [[str(number)] for number in range(24)]


def test_cached_text_files_are_shared(box: Box) -> None:
    def count(stage: Stage) -> int:
        for _ in range(3):
            stage.run("true", network=NetMode.HOST)
        return len([name for name in os.listdir(stage.sandbox.directory) if name.startswith("file-")])

    assert box.inside(count) == 2


def test_a_connection_as_standard_streams(any_box: Box) -> None:
    """What the step reads and writes goes over a descriptor of the caller's, which stays open."""

    def work(stage: Stage) -> tuple[bytes, bytes, int]:
        ours, theirs = socket.socketpair()
        errors: list[bytes] = []
        with ours, theirs:
            ours.sendall(b"asked\n")
            code = stage.sandbox.run(
                stage.step("sh", "-c", "read word; echo heard $word; echo aside >&2"),
                on_output=lambda stream, data: errors.append(b"%d:%b" % (stream, data)),
                cancellation=Cancellation(),
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
            )
            return ours.recv(100), b"".join(errors), int(code)

    assert any_box.inside(work) == (b"heard asked\n", b"2:aside\n", 0)
