"""Statements of the image's config, in the config and manifest of the image."""

from __future__ import annotations

import pytest
from tests.language.project import Project

pytestmark = [pytest.mark.root, pytest.mark.crun]


def test_every_statement_of_the_config(project: Project) -> None:
    project.write(
        r"""
param version: str = "1.0"
target a:
    from BASE
    env A = "1", B = 2, C = "$PATH:${A_DIR_LESS}"
""".replace(":${A_DIR_LESS}", "")
        + r"""
    env A = "${A}0", B = "[$A]", D = "\$A ${{"$A"}}"
    env {"FROM_MAP": "m", "NUMBER": 3}
    workdir "/w/$A"
    workdir "below"
    user "user:staff"
    shell ["/bin/ash", "-c"]
    label "org.example.version" = version, "n" = 1
    label {"from.map": "m"}
    annotation "org.example.note" = "on the manifest"
    annotation {"k": "v"}
    expose 8080, "53/udp", 1 + 1
    volume "/data", "/logs"
    entrypoint ["/bin/app", "$A"]
    cmd ["--serve", "$B"]
    stop_signal "SIGQUIT"
    healthcheck ["check", "it"], interval=30s, timeout=1m, start_period=500ms, retries=5
"""
    )
    image = project.image()
    config = image.config
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    assert environment.pop("PATH") == environment.pop("C")
    assert environment == {"A": "10", "B": "[1]", "D": "$A $A", "FROM_MAP": "m", "NUMBER": "3"}
    assert config["WorkingDir"] == "/w/10/below"
    assert config["User"] == "user:staff"
    assert config["Shell"] == ["/bin/ash", "-c"]
    assert config["Labels"] == {"org.example.version": "1.0", "n": "1", "from.map": "m"}
    assert image.manifest["annotations"] == {"org.example.note": "on the manifest", "k": "v"}
    assert config["ExposedPorts"] == {"8080/tcp": {}, "53/udp": {}, "2/tcp": {}}
    assert config["Volumes"] == {"/data": {}, "/logs": {}}
    assert config["Entrypoint"] == ["/bin/app", "$A"]
    assert config["Cmd"] == ["--serve", "$B"]
    assert config["StopSignal"] == "SIGQUIT"
    assert config["Healthcheck"] == {
        "Test": ["CMD", "check", "it"],
        "Interval": 30_000_000_000,
        "Timeout": 60_000_000_000,
        "StartPeriod": 500_000_000,
        "Retries": 5,
    }
    layers = [entry for entry in image.json["history"] if not entry.get("empty_layer")]
    assert len(layers) == len(image.layers)
    assert {"/w", "/w/10"} <= image.layers[1].keys()


def test_an_entrypoint_clears_an_inherited_command_alone(project: Project) -> None:
    project.write(
        """
target inherited:
    from BASE
    entrypoint ["/bin/app"]
target own:
    from BASE
    cmd ["mine"]
    entrypoint ["/bin/app"]
target twice:
    from own
    entrypoint ["/bin/other"]
target kept:
    from BASE
    label "a" = "b"
"""
    )
    configs = {name: project.image(name).config for name in ("inherited", "own", "twice", "kept")}
    assert {name: (one.get("Entrypoint"), one.get("Cmd")) for name, one in configs.items()} == {
        "inherited": (["/bin/app"], None),
        "own": (["/bin/app"], ["mine"]),
        "twice": (["/bin/other"], None),
        "kept": (None, ["sh"]),
    }


def test_a_healthcheck_may_be_off(project: Project) -> None:
    project.write('target a:\n    from BASE\n    healthcheck "none"\n')
    assert project.image().config["Healthcheck"] == {"Test": ["NONE"]}


def test_a_variable_that_is_not_set(project: Project) -> None:
    project.write('target a:\n    from BASE\n    env A = "$PATHH"\n')
    done = project.build(code=2)
    assert "build.pybuild:5:" in done.err
    assert "$PATH" in done.err


def test_config_does_not_run_anything_again(project: Project) -> None:
    text = 'target a:\n    from BASE\n    label "a" = "%s"\n    run echo label-%s\n    cmd ["%s"]\n'
    project.write(text % ("1", "x", "1"))
    project.build()
    project.write(text % ("2", "x", "2"))
    assert "CACHED" in project.build().err
    from tests.e2e.building import steps_run

    assert steps_run(project.build()) == []


def test_flags_add_to_the_config(project: Project) -> None:
    project.write('target a:\n    from BASE\n    label "a" = "file"\n    annotation "n" = "file"\n')
    image = project.image("--label=a=flag", "--label=b=flag", "--annotation=n=flag")
    assert image.config["Labels"] == {"a": "flag", "b": "flag"}
    assert image.manifest["annotations"] == {"n": "flag"}
