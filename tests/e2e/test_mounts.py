"""RUN with caches, secrets and agents, as a user runs it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.building import Builder, Outcome, said, steps_run
from tests.e2e.soundness import faults, leftovers

pytestmark = [pytest.mark.root, pytest.mark.crun]

SECRET = "x9-never-on-disk-4711"


def lines(outcome: Outcome) -> list[str]:
    """What steps wrote, without numbers and times."""
    return [
        line.split(" ", 2)[2] for line in outcome.err.splitlines() if line[:1] == "#" and line.count(" ") > 1
    ]


def names_in(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return sorted(member.name.strip("./") for member in opened)


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def holding(store: Path, text: str) -> list[Path]:
    """Files of a directory in which the text stands."""
    files = (path for path in store.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in files if text.encode() in path.read_bytes()]


@pytest.fixture(params=["root", "user"])
def any_builder(request: pytest.FixtureRequest) -> Builder:
    if request.param == "root":
        found: Builder = request.getfixturevalue("builder")
    else:
        found = request.getfixturevalue("user_builder")
    return found


# Caches


def test_a_cache_outlives_its_step_and_is_no_part_of_the_image(any_builder: Builder) -> None:
    builder = any_builder
    step = "RUN --mount=type=cache,target=/cache echo {0} >>/cache/log; cat /cache/log; echo {0} >/made\n"
    first = builder.context("first", "FROM base\n" + step.format("one"))
    second = builder.context("second", "FROM base\n" + step.format("two"))
    out = builder.place / "out.tar"
    assert lines(builder.build(first)).count("one") == 1
    told = lines(builder.build(second, "-o", f"type=tar,dest={out}"))
    assert told.count("one") == told.count("two") == 1
    names = names_in(out)
    assert "made" in names
    assert "cache" not in names
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []
    builder.run("prune", "--all", "--force")
    assert "one" not in lines(builder.build(second))


@pytest.mark.parametrize("snapshotter", ["overlay", "copy"])
def test_caches_differ_by_id_and_by_what_they_start_from(builder: Builder, snapshotter: str) -> None:
    builder = builder.in_environment(PYBUILD_SNAPSHOTTER=snapshotter)
    context = builder.context(
        "context",
        """\
FROM base AS seed
RUN mkdir -m 750 /seed && echo seeded >/seed/file && ln /seed/file /seed/again && chown 5:6 /seed/file /seed
FROM base AS other
RUN mkdir /seed && echo otherwise >/seed/file
FROM base
RUN --mount=type=cache,id=a,target=/c echo a >>/c/file; echo "plain $(cat /c/file)"
RUN --mount=type=cache,id=a,target=/c,from=seed,source=/seed stat -c '%a %u:%g' /c; stat -c %h /c/file; cat /c/file
RUN --mount=type=cache,id=a,target=/c,from=seed,source=/seed rm /c/again; echo more >>/c/file
RUN --mount=type=cache,id=a,target=/d,from=seed,source=/seed ls /d; cat /d/file
RUN --mount=type=cache,id=a,target=/c,from=other,source=/seed echo "from other $(cat /c/file)"
RUN --mount=type=cache,id=b,target=/c ls /c | wc -l
RUN --mount=type=cache,id=u,target=/c,uid=7,gid=8,mode=0700 stat -c '%a %u:%g' /c
""",
    )
    told = lines(builder.build(context))
    assert "plain a" in told
    assert "750 5:6" in told
    assert "2" in told
    assert told.count("seeded") == 2
    assert told.count("more") == 1
    assert "again" not in told
    assert "from other otherwise" in told
    assert "0" in told
    assert "700 7:8" in told


def test_a_read_only_cache(builder: Builder) -> None:
    context = builder.context(
        "context",
        """\
FROM base
RUN --mount=type=cache,target=/c echo kept >/c/file
RUN --mount=type=cache,target=/c,readonly cat /c/file; touch /c/more || echo refused
""",
    )
    told = lines(builder.build(context))
    assert "kept" in told
    assert "refused" in told


def test_no_cache_starts_a_cache_anew(builder: Builder) -> None:
    """As BuildKit does: it lets go of the caches of the steps that it must run."""
    context = builder.context(
        "context", "FROM base\nRUN --mount=type=cache,target=/c ls /c | wc -l; touch /c/$(date +%N)\n"
    )
    assert "0" in lines(builder.build(context))
    other = builder.context("other", "FROM base\nRUN --mount=type=cache,target=/c ls /c | wc -l #again\n")
    assert "1" in lines(builder.build(other))
    assert "0" in lines(builder.build(context, "--no-cache"))


def test_what_is_selected_must_be_there(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM base\nRUN --mount=type=cache,target=/c,from=base,source=/nothing true\n"
    )
    outcome = builder.build(context, code=1)
    assert "/nothing: no such file or directory" in outcome.err
    assert "Dockerfile:2" in outcome.err


def start_pair(builder: Builder, sharing: str) -> tuple[list[Path], list[subprocess.Popen[bytes]]]:
    """Two builds in processes of their own; each holds the cache until a file appears in the other's place."""
    logs, processes = [], []
    for name in ("one", "two"):
        context = builder.context(
            name,
            f"""\
FROM base
RUN --mount=type=cache,id=shared,sharing={sharing},target=/c \\
    touch /c/{name}; echo holds {name}; \\
    i=0; while [ $i -lt 100 ] && ! ls /c | grep -q go; do sleep 0.05; i=$((i+1)); done; echo $(ls /c); rm -f /c/go
""",
        )
        log = builder.place / f"{name}.log"
        processes.append(builder.start(context, log=log))
        logs.append(log)
        if name == "one":
            wait_until(lambda: said(logs[0], "holds one"))
    return logs, processes


def directories(builder: Builder) -> list[Path]:
    return sorted(path for path in builder.store.glob("caches/*/*/*") if path.name.isdigit())


def test_a_locked_cache_has_one_user(builder: Builder) -> None:
    logs, processes = start_pair(builder, "locked")
    wait_until(lambda: b"which uses the cache" in logs[1].read_bytes())
    assert f"waiting for pid {processes[0].pid} (" in logs[1].read_text()
    assert not said(logs[1], "holds two")
    (place,) = directories(builder)
    (place / "go").touch()
    wait_until(lambda: said(logs[1], "holds two"))
    assert processes[0].wait(30) == 0
    (place / "go").touch()
    assert processes[1].wait(30) == 0
    assert said(logs[1], "go one two")
    assert directories(builder) == [place]


def test_a_shared_cache_has_many(builder: Builder) -> None:
    logs, processes = start_pair(builder, "shared")
    wait_until(lambda: said(logs[1], "holds two"))
    (place,) = directories(builder)
    (place / "go").touch()
    wait_until(lambda: any(process.poll() is not None for process in processes))
    (place / "go").touch()
    assert [process.wait(30) for process in processes] == [0, 0]
    assert said(logs[0], "go one two") or said(logs[0], "one two")


def test_a_private_cache_has_a_directory_for_each_user(builder: Builder) -> None:
    logs, processes = start_pair(builder, "private")
    wait_until(lambda: said(logs[1], "holds two"))
    places = directories(builder)
    assert len(places) == 2
    for place in places:
        (place / "go").touch()
    assert [process.wait(30) for process in processes] == [0, 0]
    assert said(logs[0], "go one")
    assert said(logs[1], "go two")
    context = builder.context(
        "three", "FROM base\nRUN --mount=type=cache,id=shared,sharing=private,target=/c echo $(ls /c)\n"
    )
    assert "one" in lines(builder.build(context))
    assert directories(builder) == places


def test_waiting_for_a_cache_can_be_cancelled(builder: Builder) -> None:
    logs, processes = start_pair(builder, "locked")
    wait_until(lambda: b"which uses the cache" in logs[1].read_bytes())
    processes[1].send_signal(signal.SIGINT)
    assert processes[1].wait(10) == 130
    (place,) = directories(builder)
    (place / "go").touch()
    assert processes[0].wait(30) == 0
    assert said(logs[0], "go one")


def test_steps_of_one_build_share_by_the_same_rules(builder: Builder) -> None:
    """Crossed order of two locked caches: neither step waits for what the other has."""
    stage = """\
FROM base AS {0}
RUN --mount=type=cache,id={1},sharing=locked,target=/1 --mount=type=cache,id={2},sharing=locked,target=/2 \\
    mkdir /1/lock && sleep 0.3 && rmdir /1/lock && touch /{0}
"""
    text = stage.format("a", "x", "y") + stage.format("b", "y", "x")
    context = builder.context("context", text + "FROM base\nCOPY --from=a /a /\nCOPY --from=b /b /\n")
    builder.build(context, timeout=60)


def test_a_killed_build_leaves_a_usable_cache(builder: Builder) -> None:
    step = "RUN --mount=type=cache,id=k,sharing=locked,target=/c {}\n"
    context = builder.context("context", "FROM base\n" + step.format("echo x >>/c/f; echo written; sleep 60"))
    log = builder.place / "log"
    process = builder.start(context, log=log)
    wait_until(lambda: said(log, "written"))
    process.kill()
    process.wait()
    after = builder.context("after", "FROM base\n" + step.format("cat /c/f"))
    assert lines(builder.build(after, timeout=30)).count("x") == 1
    assert len(directories(builder)) == 1


def test_a_half_made_cache_is_made_again(builder: Builder) -> None:
    """A build killed while its cache is being filled leaves nothing that the next one takes for whole."""
    context = builder.context(
        "context",
        """\
FROM base AS seed
RUN mkdir /seed && cd /seed && i=0 && while [ $i -lt 3000 ]; do echo $i >$i; i=$((i+1)); done
FROM base
RUN --mount=type=cache,target=/c,from=seed,source=/seed ls /c | wc -l
""",
    )
    builder.build("--target=seed", context)
    log = builder.place / "log"
    process = builder.start(context, log=log)
    wait_until(lambda: process.poll() is not None or any(builder.store.glob("work/*/cache-*")))
    process.kill()
    process.wait()
    assert "3000" in lines(builder.build(context))
    assert leftovers(builder.store) == []


# Secrets


def test_secrets_reach_their_step_and_nothing_else(any_builder: Builder) -> None:
    builder = any_builder
    context = builder.context(
        "context",
        """\
FROM base
RUN --mount=type=secret,id=file,mode=0440,uid=3,gid=4 \\
    stat -c '%a %u:%g %s' /run/secrets/file; wc -c </run/secrets/file; grep /run/secrets/file /proc/mounts
RUN --mount=type=secret,id=file,target=/etc/token,env=TOKEN \\
    test "$TOKEN" = "$(cat /etc/token)" && echo -n "$TOKEN" | wc -c; echo x >/etc/token || echo read-only
RUN ls /run/secrets /etc/token; env | grep TOKEN; echo nothing left
""",
    )
    secret = builder.place / "secret"
    secret.write_text(SECRET)
    builder.own(secret)
    out = builder.place / "out.tar"
    outcome = builder.build(
        "--secret", f"id=file,src={secret}", "-o", f"type=tar,dest={out}", "-t", "some", context
    )
    told = lines(outcome)
    assert f"440 3:4 {len(SECRET)}" in told
    assert told.count(str(len(SECRET))) == 2
    assert any(line.startswith("tmpfs /run/secrets/file tmpfs ro,nosuid,nodev,noexec") for line in told)
    assert "read-only" in told
    assert "nothing left" in told
    assert not any("TOKEN=" in line for line in told)
    names = names_in(out)
    assert not [name for name in names if "token" in name or "secrets" in name]
    assert holding(builder.store, SECRET) == []
    assert SECRET not in outcome.err
    assert faults(builder.store) == []
    assert leftovers(builder.store) == []


def test_a_secret_in_memory_only_while_the_step_runs(builder: Builder) -> None:
    """Neither the value nor the configuration that holds it is on the disk, or readable by others."""
    context = builder.context(
        "context",
        "FROM base\nRUN --mount=type=secret,id=s,env=S --mount=type=secret,id=s echo runs; sleep 3\n",
    )
    log = builder.place / "log"
    process = builder.in_environment(S=SECRET).start("--secret", "id=s,env=S", context, log=log)
    wait_until(lambda: said(log, "runs"))
    assert holding(builder.store, SECRET) == []
    seen = Path(f"/proc/{process.pid}/root{builder.store}")
    (bundle,) = seen.glob("work/*/sandbox/*/config.json")
    assert SECRET in bundle.read_text()
    assert bundle.parent.stat().st_mode & 0o777 == 0o700
    assert bundle.parents[1].stat().st_mode & 0o777 == 0o700
    process.kill()
    process.wait()
    assert holding(builder.store, SECRET) == []


def test_an_executable_secret(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM base\nRUN --mount=type=secret,id=tool,target=/tool,mode=0500 /tool\n"
    )
    tool = builder.place / "tool"
    tool.write_text("#!/bin/sh\necho the secret tool runs\n")
    assert "the secret tool runs" in lines(builder.build("--secret", f"id=tool,src={tool}", context))


def test_a_missing_secret(builder: Builder) -> None:
    optional = builder.context(
        "optional",
        "FROM base\nRUN --mount=type=secret,id=s --mount=type=secret,id=e,env=E ls /run/secrets; echo [${E-unset}]\n",
    )
    assert "[]" in lines(builder.build(optional))
    for name, mount in (("file", "id=s,required"), ("variable", "id=s,env=E,required")):
        context = builder.context(name, f"FROM base\nRUN --mount=type=secret,{mount} true\n")
        outcome = builder.build(context, code=1)
        assert "error: secret s: not found" in outcome.err
        assert "Dockerfile:2" in outcome.err
        assert "--secret id=s,src=PATH" in outcome.err


def test_another_value_does_not_run_the_step_again(builder: Builder) -> None:
    context = builder.context(
        "context", "FROM base\nRUN --mount=type=secret,id=s,required cat /run/secrets/s >/copied\n"
    )
    secret = builder.place / "secret"
    secret.write_text("first")
    flag = f"--secret=id=s,src={secret}"
    builder.build(flag, context)
    secret.write_text("second")
    out = builder.place / "out"
    assert steps_run(builder.build(flag, context, "-o", out)) == []
    assert (out / "copied").read_text() == "first"


def test_a_replayed_build_still_wants_its_flags_right(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN --mount=type=secret,id=s cat /run/secrets/s\n")
    secret = builder.place / "secret"
    secret.write_text(SECRET)
    os.utime(secret, (1, 1))
    time.sleep(0.05)
    words: list[str | Path] = ["--secret", f"id=s,src={secret}", "-t", "some", context]
    builder.build(*words)
    assert SECRET not in "".join(
        path.read_bytes().decode("latin-1") for path in (builder.store / "invocations").glob("*")
    )
    assert steps_run(builder.build(*words)) == []
    assert list((builder.store / "invocations").iterdir()) != []
    secret.unlink()
    outcome = builder.build(*words, code=2)
    assert "no such file or directory" in outcome.err


def test_a_zero_byte_fits_no_variable(builder: Builder) -> None:
    context = builder.context("context", "FROM base\nRUN --mount=type=secret,id=s,env=S true\n")
    secret = builder.place / "secret"
    secret.write_bytes(b"a\0b")
    outcome = builder.build("--secret", f"id=s,src={secret}", context, code=1)
    assert "secret s holds a zero byte" in outcome.err


# Agents


@pytest.fixture
def key(any_builder: Builder) -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("needs ssh-keygen")
    path = any_builder.place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=30)
    any_builder.own(path)
    return path


ASK = """\
FROM tools
USER 5
RUN --mount=type=ssh,uid=5,gid=6,mode=0600 stat -c '%F %a %u:%g' $SSH_AUTH_SOCK && echo $SSH_AUTH_SOCK && \\
    ssh-add -l && if ssh-add -D; then echo deleted; else echo kept; fi
"""
TOOLS = "--build-context=tools=host:sh,ssh-add,stat"


def fingerprint(key: Path) -> str:
    said = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, check=True, timeout=30)
    return said.stdout.decode().split()[1]


def test_a_key_is_served_to_a_step(any_builder: Builder, key: Path) -> None:
    """A step of its own network, as another user, lists the keys by the agent's protocol."""
    context = any_builder.context("context", ASK)
    outcome = any_builder.build(TOOLS, f"--ssh=default={key}", context)
    told = lines(outcome)
    assert "socket 600 5:6" in told
    assert "/run/buildkit/ssh_agent.0" in told
    assert any(fingerprint(key) in line for line in told), outcome.err
    assert "kept" in told
    assert leftovers(any_builder.store) == []
    assert agents_of(any_builder) == []


def test_a_socket_of_the_user(builder: Builder) -> None:
    key = builder.place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    path = builder.place / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        wait_until(path.exists)
        env = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        subprocess.run(["ssh-add", "-q", str(key)], env=env, check=True, timeout=30)
        step = ASK.replace("RUN --mount=type=ssh", "RUN --network=none --mount=type=ssh,id=work")
        context = builder.context("context", step)
        outcome = builder.build(TOOLS, "--ssh", f"work={path}", context)
        assert any(fingerprint(key) in line for line in lines(outcome))
        default = builder.context("default", ASK)
        outcome = builder.in_environment(SSH_AUTH_SOCK=str(path)).build(TOOLS, "--ssh", "default", default)
        assert any(fingerprint(key) in line for line in lines(outcome))
    finally:
        agent.terminate()
        agent.wait()


def test_the_agent_of_a_killed_build_ends(builder: Builder) -> None:
    with tempfile.TemporaryDirectory(prefix="pb-") as short:  # so that the agent's socket is in the store
        _kill_with_agent(builder.with_store(Path(short) / "s"))


def _kill_with_agent(builder: Builder) -> None:
    key = builder.place / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=30)
    context = builder.context("context", "FROM base\nRUN --mount=type=ssh echo runs; sleep 60\n")
    log = builder.place / "log"
    process = builder.start("--ssh", f"default={key}", context, log=log)
    wait_until(lambda: said(log, "runs"))
    assert agents_of(builder) != []
    process.kill()
    process.wait()
    wait_until(lambda: agents_of(builder) == [], 5)
    builder.build(builder.context("next", "FROM base\nRUN true\n"))
    assert leftovers(builder.store) == []


def agents_of(builder: Builder) -> list[str]:
    found = subprocess.run(
        ["pgrep", "-f", f"ssh-agent -a {builder.store}"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def test_a_missing_agent(builder: Builder) -> None:
    required = builder.context("required", "FROM base\nRUN --mount=type=ssh,id=work,required true\n")
    outcome = builder.build(required, code=1)
    assert "error: unset ssh forward key work" in outcome.err
    assert "--ssh work=SOCKET" in outcome.err
    optional = builder.context(
        "optional", "FROM base\nRUN --mount=type=ssh test -e $SSH_AUTH_SOCK || echo no agent\n"
    )
    assert "no agent" in lines(builder.build(optional))


# What is said of failures


def test_a_program_that_the_kernel_does_not_know(builder: Builder) -> None:
    context = builder.context("context", 'FROM base\nCOPY --chmod=755 x /x\nRUN ["/x"]\n', x="no program\n")
    outcome = builder.build(context, code=1)
    assert "error: exec /x: exec format error" in outcome.err
    assert "Dockerfile:3" in outcome.err
    assert '{"msg"' not in outcome.err


def test_a_command_line_that_is_too_long(builder: Builder) -> None:
    text = "x" * 140_000
    context = builder.context("context", f'FROM base\nRUN ["/bin/true", "{text}"]\n')
    outcome = builder.build(context, code=1)
    assert '{"msg"' not in outcome.err
    assert "rgument list too long" in outcome.err
