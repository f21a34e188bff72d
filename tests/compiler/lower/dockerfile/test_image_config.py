"""Image configs: reading, writing, times, and what an export does to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from pybuild.compiler.image import Config, Healthcheck, History, Image, ImageConfigError, encode, parse
from pybuild.compiler.image_export import Layer, finish, normalize_history
from pybuild.compiler.lower.dockerfile.history import duration
from pybuild.compiler.timestamps import Time, format_time, parse_time
from pybuild.lang.dockerfile.goquote import quote

FULL = Image(
    created="2020-02-03T04:05:06.7Z",
    author="a",
    architecture="arm",
    os="linux",
    os_version="1",
    os_features=("f",),
    variant="v7",
    config=Config(
        user="u",
        exposed_ports=frozenset({"80/tcp", "100/udp"}),
        env=("A=<1>&",),
        entrypoint=("e",),
        cmd=("c",),
        volumes=frozenset({"/v"}),
        working_dir="/w",
        labels={"l": "m\u2028"},
        stop_signal="SIGTERM",
        args_escaped=True,
        healthcheck=Healthcheck(("CMD", "x"), 1, 2, 3, 4, 5),
        on_build=("RUN x",),
        shell=("/s",),
    ),
    rootfs_type="layers",
    diff_ids=("sha256:1",),
    history=(History("2020-01-01T00:00:00Z", "by", "who", "comment", True),),
)
WRITTEN = (
    '{"created":"2020-02-03T04:05:06.7Z","author":"a","architecture":"arm","os":"linux","os.version":"1",'
    '"os.features":["f"],"variant":"v7","rootfs":{"type":"layers","diff_ids":["sha256:1"]},'
    '"history":[{"created":"2020-01-01T00:00:00Z","created_by":"by","author":"who","comment":"comment",'
    '"empty_layer":true}],"config":{"User":"u","ExposedPorts":{"100/udp":{},"80/tcp":{}},'
    '"Env":["A=\\u003c1\\u003e\\u0026"],"Entrypoint":["e"],"Cmd":["c"],"Volumes":{"/v":{}},'
    '"WorkingDir":"/w","Labels":{"l":"m\\u2028"},"StopSignal":"SIGTERM","ArgsEscaped":true,'
    '"Healthcheck":{"Test":["CMD","x"],"Interval":1,"Timeout":2,"StartPeriod":3,"StartInterval":4,'
    '"Retries":5},"OnBuild":["RUN x"],"Shell":["/s"]}}'
)


def test_writing_and_reading() -> None:
    assert FULL.to_json().decode() == WRITTEN
    assert parse(WRITTEN.encode()) == FULL


def test_an_empty_image() -> None:
    written = b'{"architecture":"","os":"","rootfs":{"type":"","diff_ids":null},"config":{}}'
    assert Image().to_json() == written
    assert parse(b"{}") == parse(written) == Image()
    assert parse(b'{"rootfs":{"diff_ids":[]},"config":null,"history":null}').diff_ids == ()


def test_unknown_fields_are_kept_beside() -> None:
    image = parse(b'{"os":"linux","docker_version":"1","config":{"User":"u","Hostname":"h"}}')
    assert dict(image.unknown) == {"docker_version": "1"}
    assert dict(image.config.unknown) == {"Hostname": "h"}
    assert b"Hostname" not in image.to_json()
    written = json.loads(image.to_json(unknown=True))
    assert written["docker_version"] == "1"
    assert written["config"] == {"User": "u", "Hostname": "h"}


@pytest.mark.parametrize(
    "data", [b"\xff", b"null", b'{"os":1}', b'{"config":{"Env":"A"}}', b'{"config":{"Env":[1]}}']
)
def test_what_is_no_config(data: bytes) -> None:
    with pytest.raises(ImageConfigError, match="image config"):
        parse(data)


def test_lone_surrogates_are_replaced_as_go_does() -> None:
    assert encode("a\ud800b") == '"a\ufffdb"'.encode()


def test_with_env_replaces_in_place() -> None:
    config = Config(env=("A=1", "B", "C=3"))
    assert config.with_env("B", "2").with_env("D", "").env == ("A=1", "B=2", "C=3", "D=")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05.120000000Z", "2020-01-02T03:04:05.12Z"),
        ("2020-01-02T03:04:05.1234567899Z", "2020-01-02T03:04:05.123456789Z"),
        ("2020-01-02T03:04:05+00:00", "2020-01-02T03:04:05Z"),
        ("2020-01-02T03:04:05-05:30", "2020-01-02T03:04:05-05:30"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_times_are_written_as_go_does(text: str, written: str) -> None:
    assert format_time(parse_time(text)) == written


@given(st.integers(-60_000_000_000, 250_000_000_000), st.integers(0, 999_999_999), st.integers(-720, 720))
@settings(max_examples=50)
def test_times_survive_writing(seconds: int, nanoseconds: int, offset: int) -> None:
    time = Time(seconds * 1_000_000_000 + nanoseconds, offset)
    text = format_time(time)
    assert parse_time(text) == time
    seen = datetime.fromisoformat(text[:19] + (text[-6:] if text[-1] != "Z" else "+00:00"))
    assert seen == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize("text", ["", "2020", "2020-01-02", "2020-13-02T03:04:05Z", "2020-01-02T03:04:05"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="not an RFC 3339 time"):
        parse_time(text)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (2_000_000, "2ms"),
        (999_999_999, "999.999999ms"),
        (1_000_000_000, "1s"),
        (61_001_000_000, "1m1.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (-90_000_000_000, "-1m30s"),
    ],
)
def test_durations(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


def test_quoting() -> None:
    assert quote('a"\\\x00\x7f\u00a0\U000e0001é') == r'"a\"\\\x00\x7f\u00a0\U000e0001é"'


T = [f"2020-01-0{day}T00:00:00Z" for day in range(1, 9)]


def finished(image: Image, layers: list[Layer], **options: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(finish(image.to_json(), layers, **options))
    return value


IMAGE = Image(architecture="amd64", os="linux", rootfs_type="layers")


def test_finish_without_layers() -> None:
    assert finish(IMAGE.to_json(), []) == (
        b'{"architecture":"amd64","config":{},"created":null,"history":null,"os":"linux",'
        b'"rootfs":{"type":"layers","diff_ids":null}}'
    )


def test_finish_fills_times() -> None:
    history = (
        History(T[0], "base"),
        History(None, "env", empty_layer=True),
        History(None, "run"),
        History(None, "cmd", empty_layer=True),
    )
    done = finished(evolve(IMAGE, history=history), [Layer("sha256:a", T[3]), Layer("sha256:b", T[5])])
    assert [entry["created"] for entry in done["history"]] == [T[0], T[5], T[5], T[5]]
    assert done["created"] == T[5]
    assert done["rootfs"] == {"type": "layers", "diff_ids": ["sha256:a", "sha256:b"]}


def test_finish_with_only_empty_entries_after_the_base() -> None:
    history = (History(T[0], "base"), History(T[1], "more"), History(None, "env", empty_layer=True))
    done = finished(evolve(IMAGE, history=history), [Layer("a", T[7]), Layer("b", T[7])])
    assert [entry["created"] for entry in done["history"]] == [T[0], T[1], T[1]]


def test_finish_describes_layers_without_an_entry() -> None:
    done = finished(IMAGE, [Layer("a", T[0], "RUN x"), Layer("b", T[1])])
    assert done["history"] == [
        {"created": T[0], "created_by": "RUN x", "comment": "buildkit.exporter.image.v0"},
        {"created": T[1], "created_by": "created by buildkit", "comment": "buildkit.exporter.image.v0"},
    ]


def test_finish_empties_entries_beyond_the_layers() -> None:
    history = (History(T[0], "a"), History(T[1], "b"))
    done = finished(evolve(IMAGE, history=history), [Layer("a", T[2])])
    assert [entry.get("empty_layer", False) for entry in done["history"]] == [False, True]


def test_finish_with_an_epoch() -> None:
    base = evolve(IMAGE, history=(History(T[5], "base"),))
    history = (
        *base.history,
        History(None, "run"),
        History(T[1], "old"),
        History(None, "x", empty_layer=True),
    )
    image = evolve(base, history=history, created=T[7])
    layers = [Layer("a", T[5]), Layer("b", T[6]), Layer("c", T[6])]
    epoch = int(datetime(2020, 1, 3, tzinfo=UTC).timestamp())
    done = finished(image, layers, epoch=epoch, base=base.to_json())
    assert [entry["created"] for entry in done["history"]] == [T[5], T[2], T[1], T[1]]
    assert done["created"] == T[2]
    assert finished(image, layers, epoch=epoch)["history"][0]["created"] == T[2]


def test_finish_needs_a_platform() -> None:
    with pytest.raises(ImageConfigError, match="missing os"):
        finish(Image(architecture="amd64").to_json(), [])
    with pytest.raises(ImageConfigError, match="missing architecture"):
        finish(Image(os="linux").to_json(), [])


def test_finish_keeps_what_it_does_not_know_and_adds_extras() -> None:
    data = b'{"os":"linux","architecture":"amd64","zz":{"b":1,"a":2},"config":{"Hostname":"h"}}'
    done = finish(data, [], extra={"moby.buildkit.cache.v0": "x"})
    assert list(json.loads(done)) == sorted(json.loads(done))
    assert b'"zz":{"b":1,"a":2}' in done
    assert b'"moby.buildkit.cache.v0":"x"' in done


entries = st.lists(
    st.builds(History, created=st.sampled_from([None, *T]), empty_layer=st.booleans()), max_size=8
)
layers_made = st.lists(st.builds(Layer, st.just("sha256:x"), st.sampled_from(T)), max_size=8)


@given(entries, layers_made)
@settings(max_examples=100)
def test_normal_history_has_one_entry_a_layer_and_times_throughout(
    history: list[History], layers: list[Layer]
) -> None:
    normal = normalize_history(history, layers)
    assert sum(not entry.empty_layer for entry in normal) == len(layers)
    assert len(normal) >= len(history)
    known = [entry.created for entry in normal if entry.created is not None]
    assert not known or len(known) == len(normal)
    for before, after in zip(history, normal, strict=False):
        assert before.created in (None, after.created)
