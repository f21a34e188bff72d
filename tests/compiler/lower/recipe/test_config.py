"""Statements of the image config, variables, history, and what is exported of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.compiler.lower.dockerfile.world import ARM64, World, image_config
from tests.compiler.lower.recipe.making import (
    PATH,
    body,
    built,
    copying,
    history,
    image,
    lowered,
    lowered_all,
    run,
    scratch,
    span,
    template,
    vertices,
)

from pybuild.compiler.image_export import Layer, finish
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.recipe import (
    Annotations,
    Body,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Labels,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)

SECOND = 1_000_000_000


def config_of(made: Body, world: World | None = None, **options: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(lowered(made, world, **options).image.to_json())["config"]
    return value


def based(config: dict[str, Any], **more: Any) -> World:
    return World({"docker.io/library/base:latest": image_config(config, **more)})


def env(**values: str) -> Env:
    return Env(tuple((name, template(value)) for name, value in values.items()))


def test_all_of_it() -> None:
    statements = (
        User("app"),
        Expose(("8080/tcp", "53/udp")),
        Volume(("/data",)),
        StopSignal("SIGINT"),
        Labels((("a", "1"), ("b", "2"))),
        Labels((("a", "3"),)),
        Entrypoint(("serve",)),
        Cmd(("--port", "1")),
        Shell(("/bin/bash", "-c")),
        Healthcheck(("ping",), interval=30 * SECOND, retries=2),
    )
    assert config_of(body(*statements)) == {
        "User": "app",
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Env": [f"PATH={PATH}"],
        "Entrypoint": ["serve"],
        "Cmd": ["--port", "1"],
        "Volumes": {"/data": {}},
        "Labels": {"a": "3", "b": "2"},
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "ping"], "Interval": 30 * SECOND, "Retries": 2},
        "Shell": ["/bin/bash", "-c"],
    }
    assert len(vertices(lowered(body(*statements)))) == 1


def test_what_history_says_of_it() -> None:
    statements = (
        env(A='q"$\\'),
        User("app"),
        Shell(("sh", "-c")),
        Labels((("a", "1"), ("b", "2"))),
        Expose(("8080/tcp", "53/udp")),
        Volume(("/a", "/b")),
        StopSignal("SIGINT"),
        Entrypoint(("a", "b\n")),
        Cmd(()),
        Healthcheck(("a",), 90 * SECOND, 1500_000_000, 60 * SECOND, 3600 * SECOND, 2),
        Healthcheck(None),
        Annotations((("k", "v"),)),
    )
    assert history(lowered(body(*statements))) == [
        'env A = "q\\"\\$\\\\"',
        'user "app"',
        'shell ["sh", "-c"]',
        'label "a" = "1", "b" = "2"',
        'expose 8080, "53/udp"',
        'volume "/a", "/b"',
        'stop_signal "SIGINT"',
        'entrypoint ["a", "b\\n"]',
        "cmd []",
        'healthcheck ["a"], interval=90s, timeout=1500ms, start_period=1m, start_interval=1h, retries=2',
        'healthcheck "none"',
    ]


def test_no_healthcheck() -> None:
    world = based({"Healthcheck": {"Test": ["CMD", "x"], "Interval": SECOND}})
    assert config_of(body(), world)["Healthcheck"]["Interval"] == SECOND
    assert config_of(body(Healthcheck(None)), world)["Healthcheck"] == {"Test": ["NONE"]}


# Variables


def test_variables_are_those_before_the_statement() -> None:
    pairs = (("A", template("2")), ("B", template("$A", "-", "${A}")), ("PATH", template("/x:", "$PATH")))
    made = lowered(body(env(A="1"), Env(pairs)))
    assert made.image.config.env == (f"PATH=/x:{PATH}", "A=2", "B=1-1")
    assert history(made)[-1] == f'env A = "2", B = "1-1", PATH = "/x:{PATH}"'


def test_an_unset_variable() -> None:
    with pytest.raises(SourceError) as caught:
        lowered(body(env(HOME="/root"), env(X="$HOEM")))
    found = caught.value.diagnostic
    assert (found.code, found.title) == ("E0201", "`$HOEM` is not set in the image environment")
    assert found.span == span(7)
    assert ("help", "did you mean `$HOME`?") in found.notes


def test_an_unset_variable_like_no_other() -> None:
    with pytest.raises(SourceError) as caught:
        lowered(body(env(X="${SOMETHING}")))
    assert ("help", 'set it before: env SOMETHING = "…"') in caught.value.diagnostic.notes


def test_without_linking_what_the_image_may_set_stays() -> None:
    made = lowered(
        body(env(A="1"), Env((("B", template("$A", "$C")),)), Workdir(template("$HOME", "/x")), run()),
        World({}),
        linked=False,
    )
    assert made.image.config.env == ("A=1", "B=1$C")
    assert made.image.config.working_dir == "/$HOME/x"
    assert made.base_config is None


def test_without_linking_what_starts_from_nothing_is_known() -> None:
    with pytest.raises(SourceError, match="is not set"):
        lowered(body(env(A="$B"), base=scratch()), linked=False)


def test_without_linking_images_are_not_resolved() -> None:
    world = World({})
    made = lowered(body(run()), world, linked=False)
    assert vertices(made)[0].op.identifier == "docker-image://docker.io/library/base:latest"  # type: ignore[union-attr]
    assert world.resolved == []


# What is inherited


def test_an_entrypoint_drops_an_inherited_command() -> None:
    world = based({"Cmd": ["sh"], "Entrypoint": ["old"]})
    assert config_of(body(), world)["Cmd"] == ["sh"]
    assert "Cmd" not in config_of(body(Entrypoint(("new",))), world)
    assert config_of(body(Cmd(("a",)), Entrypoint(("new",))), world)["Cmd"] == ["a"]


def test_a_command_of_another_body_is_inherited() -> None:
    first = body(Cmd(("a",)), title="first")
    second = body(Entrypoint(("b",)), base=built(first))
    assert lowered(second).image.config.cmd == ()


def test_what_nothing_has() -> None:
    assert config_of(body(base=scratch())) == {"Env": [f"PATH={PATH}"], "WorkingDir": "/"}


def test_an_image_without_a_path_gets_one() -> None:
    world = World({"docker.io/library/base:latest": image_config({"Env": ["A=1"]})})
    assert config_of(body(), world)["Env"] == ["A=1", f"PATH={PATH}"]


def test_triggers_and_relative_directories_of_an_image() -> None:
    made = config_of(body(), based({"OnBuild": ["RUN x"], "WorkingDir": "src"}))
    assert "OnBuild" not in made
    assert made["WorkingDir"] == "/src"


def test_other_fields_of_the_base_are_kept_as_the_exporter_finds_them() -> None:
    raw = image_config({"StopTimeout": 3})
    made = lowered(body(), World({"docker.io/library/base:latest": raw}))
    assert made.base_config == raw


def test_annotations_are_beside_the_config() -> None:
    first = body(Annotations((("a", "1"), ("b", "1"))), title="first")
    made = lowered(body(Annotations((("b", "2"),)), base=built(first)))
    assert made.annotations == {"a": "1", "b": "2"}
    assert history(made) == []


def test_labels_of_the_build() -> None:
    assert config_of(body(Labels((("a", "1"),))), labels={"a": "2", "c": "3"})["Labels"] == {
        "a": "2",
        "c": "3",
    }


def test_the_platform_is_what_was_asked_for() -> None:
    world = based({}, architecture="arm64")
    made = Body("web", "linux/arm64")
    made.state = body(base=image(platform="linux/arm64"), platform="linux/arm64").state
    found = lowered(made, world)
    assert (found.image.architecture, found.platform) == ("arm64", ARM64)
    crossed = body(base=image(), platform="linux/amd64")
    crossed.platform = "linux/arm/v6"
    image_found = lowered(crossed).image
    assert (image_found.architecture, image_found.variant) == ("arm", "v6")


# History and layers


def exported(made: Body, count: int) -> list[tuple[str, bool]]:
    layers = [Layer(f"sha256:{number:064x}", "2024-01-01T00:00:00Z") for number in range(count)]
    done = json.loads(finish(lowered(made).image.to_json(), layers))
    return [(entry["created_by"], entry.get("empty_layer", False)) for entry in done["history"]]


def test_history_fits_the_layers() -> None:
    statements = (
        env(A="1"),
        run("make"),
        Workdir(template("/a")),
        Workdir(template("/a")),
        copying("x", to="/a/"),
    )
    assert exported(body(*statements), 4) == [
        ("layer 0", False),
        ('env A = "1"', True),
        ("run make", False),
        ('workdir "/a"', False),
        ('workdir "/a"', True),
        ('copy "x" to "/a/"', False),
    ]


def test_history_of_a_block() -> None:
    made = lowered(body(run("a\n\n  b\n", block=True)))
    assert history(made) == ["+ run:\n    a\n\n      b"]


def test_times_of_history() -> None:
    made = lowered(body(run()), epoch=1_700_000_000)
    assert made.image.history[-1].created == "2023-11-14T22:13:20Z"
    assert lowered(body(run())).image.history[-1].created is None
    assert made.image.created is None


def test_bodies_share_a_history() -> None:
    first = body(run("a"), title="first")
    left, right = lowered_all(*(body(run(one), base=built(first), title=one) for one in ("l", "r")))
    assert history(left) == ["+ run a", "+ run l"]
    assert history(right) == ["+ run a", "+ run r"]
