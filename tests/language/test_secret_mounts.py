"""Secrets and agents that runs are given."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import pytest
from tests.e2e.building import steps_run
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


SECRET = "the-value-that-nobody-may-see"


def test_secrets(project: Project) -> None:
    """By file and by variable, with owner and mode; never in layers, history, the store's records or logs."""
    project.write(
        """
target a:
    from BASE
    with secret("one"), secret("two", env="TWO"), secret("one", at="/etc/x/one", uid=1000, gid=50, mode=0o440):
        run:
            cat /run/secrets/one
            [ "$TWO" = "$(cat /run/secrets/one)" ]
            stat -c "%u:%g %a" /run/secrets/one /etc/x/one > /modes
            cat /etc/x/one | wc -c >> /modes
    run [ ! -e /run/secrets/one ]
    run [ -z "$TWO" ]
"""
    )
    (project.place / "file").write_text(SECRET)
    words = (f"--secret=id=one,src={project.place}/file", "--secret=id=two,env=VALUE")
    image = project.image(*words, VALUE=SECRET)
    assert image.text("/modes") == "0:0 400\n1000:50 440\n29\n"
    assert SECRET not in str(image)
    done = project.build(*words, VALUE=SECRET)
    assert SECRET not in done.err
    assert steps_run(done) == []
    found = subprocess.run(["grep", "-r", "-l", SECRET, str(project.store)], capture_output=True, check=False)
    assert found.stdout == b""


def test_the_value_of_a_secret_is_in_no_key_but_its_rev(project: Project) -> None:
    project.write(
        """
param rev: str = ""
target a:
    from BASE
    with secret("s", rev=rev):
        run cp /run/secrets/s /copy
    output "/copy" to "copy"
"""
    )
    project.build("--secret=id=s,env=S", S="first")
    project.build("--secret=id=s,env=S", S="second")
    assert project.text("copy") == "first"
    project.build("--secret=id=s,env=S", "-p", "rev=2", S="second")
    assert project.text("copy") == "second"


def test_a_secret_that_is_missing(project: Project) -> None:
    project.write(
        """
target a:
    from BASE
    with secret("token", optional=true), secret("other", env="OTHER", optional=true):
        run [ ! -e /run/secrets/token ] && [ -z "$OTHER" ]
    with secret("token"):
        run cat /run/secrets/token
"""
    )
    done = project.build(code=1)
    assert "error[R0004]" in done.err
    assert "build.pybuild:" in done.err
    assert "--secret id=token" in done.err


@pytest.mark.parametrize("spelling", ["id=s,env=S", "id=s,src=FILE", "s=env:S", "s=file:FILE"])
def test_the_spellings_of_a_secret(project: Project, spelling: str) -> None:
    project.write(
        f"""
target a:
    from BASE
    with secret("s", rev="{spelling}"):
        run cp /run/secrets/s /copy
    output "/copy" to "copy"
"""
    )
    (project.place / "file").write_text("value")
    project.build("--secret", spelling.replace("FILE", f"{project.place}/file"), S="value")
    assert project.text("copy") == "value"


def test_an_agent(project: Project) -> None:
    socket = project.place / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        key = project.place / "key"
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "of-the-test", "-f", key], check=True
        )
        while not socket.exists():
            time.sleep(0.01)
        agent: dict[str, Any] = {"SSH_AUTH_SOCK": str(socket)}
        subprocess.run(["ssh-add", "-q", key], env={**project.variables(), **agent}, check=True)
        project.write(
            """
target a:
    from host(["sh", "ssh-add", "test"])
    with ssh(), ssh(id="second", at="/run/second"):
        run:
            ssh-add -l > /out
            SSH_AUTH_SOCK=/run/second ssh-add -l >> /out
    output "/out" to "out"
"""
        )
        project.build("--ssh=default", f"--ssh=second={key}", **agent)
        assert project.text("out").count("of-the-test") == 2
    finally:
        process.terminate()
        process.wait()


def test_an_agent_that_is_missing(project: Project) -> None:
    project.write(
        """
default a
target a:
    from BASE
    with ssh(optional=true):
        run [ ! -e "$SSH_AUTH_SOCK" ]
target b:
    from BASE
    with ssh():
        run true
"""
    )
    project.build()
    done = project.build("b", code=1)
    assert "--ssh" in done.err
    assert "build.pybuild:" in done.err
