"""Steps: what a process is started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from tests.daemon.client.offers import Secrets
from tests.daemon.wire.observing import done, failure, offline, output, refused, sh
from tests.support.daemons import HOST_NETWORK, INSECURE, RUN, Peer

from pybuild.compiler.graph import Edge
from pybuild.compiler.ops import ExecOp, Meta, ProxyEnv, SecurityMode
from pybuild.compiler.protos import errdefs_pb2, gateway_pb2
from pybuild.compiler.state import State, bind, secret

pytestmark = [pytest.mark.root, pytest.mark.crun, pytest.mark.registry]


def test_arguments_are_passed_as_they_are(peer: Peer, base: State) -> None:
    run = base.run(["sh", "-c", 'printf "<%s>" "$@" >/out', "sh", "", "a b", "$HOME", "é\n", "*"])
    assert output(peer, run) == "<><a b><$HOME><é\n><*>"


def test_environment(peer: Peer, base: State) -> None:
    run = sh(base.env("A", "1").env("B", "x y").env("A", "2").env("EMPTY", ""), "env | sort >/out")
    lines = output(peer, run).splitlines()
    assert [line for line in lines if line.split("=")[0] in ("A", "B", "EMPTY", "HOME", "PATH", "PWD")] == [
        "A=2",
        "B=x y",
        "EMPTY=",
        "HOME=/root",
        "PATH=/bin:/usr/bin",
        "PWD=/",
    ]


def test_without_path_there_is_the_usual_one(peer: Peer, base: State) -> None:
    run = base.unset_env("PATH").run(["/bin/sh", "-c", "echo $PATH >/out"])
    assert output(peer, run) == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"


def test_a_missing_working_directory_is_made(peer: Peer, base: State) -> None:
    run = sh(base.dir("/not/there"), "pwd >/out; stat -c '%a %u:%g' . >>/out")
    assert output(peer, run) == "/not/there\n755 0:0\n"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", "0:0 0 4 /root"),
        ("user", "1000:1000 1000 50 /home/user"),
        ("user:staff", "1000:50 50 /home/user"),
        ("1234", "1234:0 0 /"),
        ("1234:77", "1234:77 77 /"),
        ("1000", "1000:1000 1000 50 /home/user"),
        ("daemon", "1:1 1 4 /"),
    ],
)
def test_users(peer: Peer, base: State, user: str, expected: str) -> None:
    script = 'echo "$(id -u):$(id -g) $(id -G) $HOME" >/tmp/out'
    assert output(peer, sh(base.user(user), script), path="/tmp/out").split() == expected.split()


def test_an_unknown_user(peer: Peer, base: State) -> None:
    failed = failure(peer, sh(base.user("nosuch"), "true"))
    assert "unable to find user nosuch: no matching entries in passwd file" in failed.message


def test_hosts_and_hostname(peer: Peer, base: State) -> None:
    state = offline(base).add_host("one", "10.0.0.1").add_host("two", "10.0.0.2").hostname("box")
    run = sh(state, "hostname >/out; cat /etc/hosts >>/out")
    name, *hosts = output(peer, run).splitlines()
    assert name == "box"
    assert [line.split() for line in hosts[-2:]] == [["10.0.0.1", "one"], ["10.0.0.2", "two"]]
    assert any(line.split()[0] == "127.0.0.1" and "localhost" in line.split() for line in hosts)


def test_what_steps_are_given_is_not_in_the_result(peer: Peer, base: State) -> None:
    run = sh(offline(base).add_host("one", "10.0.0.1"), "ls -a /etc /dev >/out")
    after = sh(run, "true")
    listed = output(peer, sh(after, "ls /etc >/out", readonly_root=False))
    assert listed.split() == ["group", "hosts", "passwd", "resolv.conf"]


def test_limits(peer: Peer, base: State) -> None:
    run = sh(
        base.add_ulimit("nofile", 123, 456).add_ulimit("core", 0, 0), "ulimit -n >/out; ulimit -Hn >>/out"
    )
    assert output(peer, run) == "123\n456\n"


def test_valid_exit_codes(ours: Peer, base: State) -> None:
    peer = ours
    state = base.with_valid_exit_codes([0, 42])
    assert output(peer, sh(state, "echo x >/out; exit 42")) == "x\n"
    failed = failure(peer, sh(state, "exit 41"))
    assert 'process "sh -c exit 41" did not complete successfully: exit code: 41' in failed.message
    only = base.with_valid_exit_codes([7])
    failed = failure(peer, sh(only, "true"))
    assert 'process "sh -c true" did not complete successfully: exit code: 0' in failed.message


def test_no_network(peer: Peer, base: State) -> None:
    run = sh(offline(base), "cat /proc/net/dev >/out")
    devices = [line.split(":")[0].strip() for line in output(peer, run).splitlines()[2:]]
    assert devices == ["lo"]


def test_the_hosts_network_is_an_entitlement(peer: Peer, base: State) -> None:
    failed = failure(peer, sh(base, "echo nobody may run this"), entitlements=[])
    assert "network.host is not allowed" in failed.message


def test_privileges_are_an_entitlement(peer: Peer, base: State) -> None:
    run = sh(base.security(SecurityMode.INSECURE), "echo nobody may run this")
    failed = failure(peer, run)
    assert "security.insecure is not allowed" in failed.message


def test_privileges(ours: Peer, base: State) -> None:
    run = sh(base.security(SecurityMode.INSECURE), "mount -t tmpfs none /tmp && echo could >/out")
    assert output(ours, run, entitlements=[HOST_NETWORK, INSECURE]) == "could\n"
    assert failure(ours, sh(base, "mount -t tmpfs none /tmp 2>/dev/null # without privileges")).message


def test_a_parent_of_control_groups(ours: Peer, base: State) -> None:
    name = f"pybuild-tests-{RUN[:8]}"
    assert output(ours, sh(base.in_cgroup(f"/{name}"), "echo ran >/out # in a group")) == "ran\n"
    groups = [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    for group in groups:
        group.rmdir()
    assert groups


def test_secrets_in_the_environment(peer: Peer, base: State) -> None:
    secrets = Secrets({"token": b"s3cret", "other": b"2"})
    mounts = [
        secret(None, id="token", env="TOKEN"),
        secret(None, id="missing", env="MISSING", optional=True),
    ]
    run = base.run(["sh", "-c", 'echo "$TOKEN ${MISSING-unset}" >/out'], mounts=mounts)
    assert output(peer, run, secrets.offer()) == "s3cret \n"


def test_a_missing_secret(peer: Peer, base: State) -> None:
    run = base.run(["sh", "-c", "true # needs a secret"], mounts=[secret(None, id="nosuch", env="X")])
    assert "secret nosuch: not found" in failure(peer, run, Secrets({}).offer()).message


def test_proxies_are_seen_and_are_not_part_of_the_step(peer: Peer, base: State) -> None:
    script = "env | grep -i _proxy | sort >/out; echo proxies"
    proxy = ProxyEnv("http://h:1", "http://s:2", "http://f:3", "n.example", "http://a:4")
    run = sh(base, script, proxy=proxy)
    assert output(peer, run).splitlines() == [
        "ALL_PROXY=http://a:4",
        "FTP_PROXY=http://f:3",
        "HTTPS_PROXY=http://s:2",
        "HTTP_PROXY=http://h:1",
        "NO_PROXY=n.example",
        "all_proxy=http://a:4",
        "ftp_proxy=http://f:3",
        "http_proxy=http://h:1",
        "https_proxy=http://s:2",
        "no_proxy=n.example",
    ]
    other = sh(base, script, proxy=ProxyEnv(http_proxy="http://other:1"))
    assert "http://h:1" in output(peer, other)


def test_a_read_only_root(peer: Peer, base: State) -> None:
    script = "touch /x 2>/dev/null && echo could >/o/out || echo could not >/o/out"
    run = sh(base, script, bind("/o", State.scratch()), readonly_root=True)
    assert output(peer, run.mount("/o")) == "could not\n"
    assert run.edge == base.edge


def test_printed_lines_come_by_stream(peer: Peer, base: State) -> None:
    solved = done(peer, sh(base, "echo out; echo err >&2; echo more # by stream"), ref="streams")
    vertex = solved.progress.named("more # by stream")
    assert solved.progress.output(vertex.digest, [1]) == b"out\nmore\n"
    assert solved.progress.output(vertex.digest, [2]) == b"err\n"


def test_a_failed_step_in_a_build(peer: Peer, base: State) -> None:
    failed = failure(peer, sh(base, "echo why; exit 9"))
    assert failed.message.endswith(
        'process "sh -c echo why; exit 9" did not complete successfully: exit code: 9'
    )
    (vertex,) = [one for one in failed.progress.vertexes.values() if one.error]
    assert vertex.error == 'process "sh -c echo why; exit 9" did not complete successfully: exit code: 9'
    assert failed.one(errdefs_pb2.Vertex).digest == vertex.digest
    assert failed.one(gateway_pb2.ExitMessage).Code == 9
    assert failed.progress.output(vertex.digest) == b"why\n"
    assert not vertex.cached


def test_a_failed_step_in_a_frontend(peer: Peer, base: State) -> None:
    failed = refused(peer, sh(base, "exit 8"))
    solve = failed.one(errdefs_pb2.Solve)
    assert list(solve.op.exec.meta.args) == ["sh", "-c", "exit 8"]
    assert len(solve.inputIDs) == 1
    assert len(solve.mountIDs) == 1
    assert failed.one(gateway_pb2.ExitMessage).Code == 8


def test_a_program_that_is_not_there(peer: Peer, base: State) -> None:
    failed = failure(peer, base.run(["/no/such/program"]))
    assert 'process "/no/such/program" did not complete successfully' in failed.message


def test_no_command(peer: Peer, base: State) -> None:
    run = sh(base, "true")
    assert run.edge is not None
    vertex = evolve(run.edge.vertex, op=ExecOp(Meta(cwd="/")))
    assert "invalid exec op with no args" in failure(peer, Edge(vertex, 0)).message
