"""Image configs: the OCI image config with Docker's additions.

`Image` is the model of BuildKit's Dockerfile frontend (`DockerOCIImage`). `to_json` writes the bytes of Go's encoder:
its order of fields, `omitempty`, and `<`, `>` and `&` escaped. `image_export.finish` turns the config of a frontend
into the one that is stored with the layers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from pybuild.compiler.frozenmap import FrozenMap, frozen_map
from pybuild.compiler.ops import Platform
from pybuild.compiler.timestamps import format_time, parse_time
from pybuild.lang.diagnostics import UserError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HISTORY_COMMENT = "buildkit.dockerfile.v0"
EXPORTER_COMMENT = "buildkit.exporter.image.v0"


class ImageConfigError(UserError):
    """An image config that can't be read or written out."""


def _strings(items: Mapping[str, str]) -> FrozenMap[str]:
    return frozen_map(items)


def _values(items: Mapping[str, Any]) -> FrozenMap[Any]:
    return frozen_map(items)


@frozen
class Healthcheck:
    """A health check. `test` is as in the config; durations are in nanoseconds, and zero means inherited."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@frozen
class Config:
    """The `config` object. `unknown` holds fields outside the model (`Hostname`, `StopTimeout`, …)."""

    user: str = ""
    exposed_ports: frozenset[str] = frozenset()
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: frozenset[str] = frozenset()
    working_dir: str = ""
    labels: Mapping[str, str] = field(factory=FrozenMap, converter=_strings)
    stop_signal: str = ""
    args_escaped: bool = False
    healthcheck: Healthcheck | None = None
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    unknown: Mapping[str, Any] = field(factory=FrozenMap, converter=_values, eq=False)

    def with_env(self, key: str, value: str) -> Config:
        """Return the config with `key` set to `value`: in place if the key is set already, else as the last entry."""
        entry, prefix = f"{key}={value}", f"{key}="
        env = list(self.env)
        for number, old in enumerate(env):
            if old.startswith(prefix) or old == key:
                env[number] = entry
                break
        else:
            env.append(entry)
        return evolve(self, env=tuple(env))


@frozen
class History:
    """An entry of an image's history. `created` is RFC 3339 as Go writes it, None if it isn't set."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


@frozen
class Image:
    """An image config. `diff_ids` None is JSON null: the config has never recorded layers."""

    created: str | None = None
    author: str = ""
    architecture: str = ""
    os: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    variant: str = ""
    config: Config = Config()
    rootfs_type: str = ""
    diff_ids: tuple[str, ...] | None = None
    history: tuple[History, ...] = ()
    unknown: Mapping[str, Any] = field(factory=FrozenMap, converter=_values, eq=False)

    @property
    def platform(self) -> Platform:
        return Platform(self.architecture, self.os, self.variant, self.os_version, self.os_features)

    def with_platform(self, platform: Platform) -> Image:
        return evolve(
            self,
            architecture=platform.architecture,
            os=platform.os,
            variant=platform.variant,
            os_version=platform.os_version,
            os_features=platform.os_features,
        )

    def with_config(self, **changes: Any) -> Image:
        return evolve(self, config=evolve(self.config, **changes))

    def with_history(self, created_by: str, *, layer: bool, created: str | None = None) -> Image:
        entry = History(created, created_by, comment=HISTORY_COMMENT, empty_layer=not layer)
        return evolve(self, history=(*self.history, entry))

    def to_json(self, *, unknown: bool = False) -> bytes:
        """Return the config as BuildKit's frontend writes it, without unknown fields; `unknown` keeps them."""
        return encode(_image_object(self, unknown))


def empty(platform: Platform) -> Image:
    """Return the config of a stage without a base image."""
    config = Config(env=(f"PATH={DEFAULT_PATH}",), working_dir="/")
    return Image(config=config, rootfs_type="layers").with_platform(platform)


def parse(data: bytes) -> Image:
    """Parse an image config. Raises `ImageConfigError`."""
    try:
        value = json.loads(data)
    except ValueError as error:
        raise ImageConfigError(f"image config is not JSON: {error}") from None
    except RecursionError:
        raise ImageConfigError("image config is nested too deep") from None
    if not isinstance(value, dict):
        raise ImageConfigError("image config is not a JSON object")
    read = _Reader(value, "image config")
    config = read.nested("config")
    rootfs = read.nested("rootfs")
    return Image(
        created=read.time("created"),
        author=read.text("author"),
        architecture=read.text("architecture"),
        os=read.text("os"),
        os_version=read.text("os.version"),
        os_features=read.texts("os.features") or (),
        variant=read.text("variant"),
        config=_config(config) if config is not None else Config(),
        rootfs_type=rootfs.text("type") if rootfs is not None else "",
        diff_ids=rootfs.texts("diff_ids") if rootfs is not None else None,
        history=tuple(_history(entry) for entry in read.objects("history")),
        unknown=read.rest(),
    )


def encode(value: object) -> bytes:
    """Encode compact JSON as Go's encoder does, with `<`, `>`, `&` and line separators escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _ESCAPED.sub(_escape, text).encode()


_ESCAPED = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    # Go has no lone surrogates: its decoder replaces them before a frontend sees the config.
    return "\ufffd" if "\ud800" <= char <= "\udfff" else f"\\u{ord(char):04x}"


class _Reader:
    """Typed access to the fields of a JSON object; null counts as absent, as in Go."""

    def __init__(self, value: Mapping[str, Any], where: str) -> None:
        self._value = value
        self._where = where
        self._known: set[str] = set()

    def _get(self, key: str, kind: type | tuple[type, ...], what: str) -> Any:
        self._known.add(key)
        value = self._value.get(key)
        if value is not None and not isinstance(value, kind):
            raise ImageConfigError(f"{self._where}: field {key!r} is not {what}")
        return value

    def text(self, key: str) -> str:
        return self._get(key, str, "a string") or ""

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def number(self, key: str) -> int:
        return self._get(key, int, "a number") or 0

    def texts(self, key: str) -> tuple[str, ...] | None:
        value = self._get(key, list, "a list of strings")
        if value is None:
            return None
        return tuple(self._string(item, key) for item in value)

    def mapping(self, key: str) -> dict[str, str]:
        value = self._get(key, dict, "an object") or {}
        return {name: self._string(item, key) for name, item in value.items()}

    def keys(self, key: str) -> frozenset[str]:
        return frozenset(self._get(key, dict, "an object") or {})

    def time(self, key: str) -> str | None:
        value = self._get(key, str, "a time")
        if value is None:
            return None
        try:
            return format_time(parse_time(value))
        except ValueError as error:
            raise ImageConfigError(f"{self._where}: field {key!r}: {error}") from None

    def nested(self, key: str) -> _Reader | None:
        value = self._get(key, dict, "an object")
        return None if value is None else _Reader(value, f"{self._where}: {key}")

    def objects(self, key: str) -> list[_Reader]:
        value = self._get(key, list, "a list") or []
        if not all(isinstance(item, dict) for item in value):
            raise ImageConfigError(f"{self._where}: field {key!r} is not a list of objects")
        return [_Reader(item, f"{self._where}: {key}") for item in value]

    def rest(self) -> dict[str, Any]:
        return {key: value for key, value in self._value.items() if key not in self._known}

    def _string(self, value: object, key: str) -> str:
        if value is not None and not isinstance(value, str):
            raise ImageConfigError(f"{self._where}: field {key!r} holds something other than strings")
        return value or ""


def _config(read: _Reader) -> Config:
    health = read.nested("Healthcheck")
    return Config(
        user=read.text("User"),
        exposed_ports=read.keys("ExposedPorts"),
        env=read.texts("Env") or (),
        entrypoint=read.texts("Entrypoint") or (),
        cmd=read.texts("Cmd") or (),
        volumes=read.keys("Volumes"),
        working_dir=read.text("WorkingDir"),
        labels=read.mapping("Labels"),
        stop_signal=read.text("StopSignal"),
        args_escaped=read.flag("ArgsEscaped"),
        healthcheck=_healthcheck(health) if health is not None else None,
        on_build=read.texts("OnBuild") or (),
        shell=read.texts("Shell") or (),
        unknown=read.rest(),
    )


def _healthcheck(read: _Reader) -> Healthcheck:
    return Healthcheck(
        test=read.texts("Test") or (),
        interval=read.number("Interval"),
        timeout=read.number("Timeout"),
        start_period=read.number("StartPeriod"),
        start_interval=read.number("StartInterval"),
        retries=read.number("Retries"),
    )


def _history(read: _Reader) -> History:
    return History(
        created=read.time("created"),
        created_by=read.text("created_by"),
        author=read.text("author"),
        comment=read.text("comment"),
        empty_layer=read.flag("empty_layer"),
    )


def _present(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Apply Go's `omitempty`: drop empty strings, lists and maps, zeros, false and nil."""
    return {key: value for key, value in pairs if value}


def _image_object(image: Image, unknown: bool) -> dict[str, object]:
    out = _present([("created", image.created), ("author", image.author)])
    out["architecture"] = image.architecture
    out["os"] = image.os
    out.update(
        _present(
            [
                ("os.version", image.os_version),
                ("os.features", list(image.os_features)),
                ("variant", image.variant),
            ]
        )
    )
    diff_ids = None if image.diff_ids is None else list(image.diff_ids)
    out["rootfs"] = {"type": image.rootfs_type, "diff_ids": diff_ids}
    if image.history:
        out["history"] = [history_object(entry) for entry in image.history]
    out["config"] = _config_object(image.config, unknown)
    return {**out, **image.unknown} if unknown else out


def _config_object(config: Config, unknown: bool) -> dict[str, object]:
    health = config.healthcheck
    out = _present(
        [
            ("User", config.user),
            ("ExposedPorts", {port: {} for port in sorted(config.exposed_ports)}),
            ("Env", list(config.env)),
            ("Entrypoint", list(config.entrypoint)),
            ("Cmd", list(config.cmd)),
            ("Volumes", {volume: {} for volume in sorted(config.volumes)}),
            ("WorkingDir", config.working_dir),
            ("Labels", dict(config.labels)),
            ("StopSignal", config.stop_signal),
            ("ArgsEscaped", config.args_escaped),
        ]
    )
    if health is not None:
        out["Healthcheck"] = _present(
            [
                ("Test", list(health.test)),
                ("Interval", health.interval),
                ("Timeout", health.timeout),
                ("StartPeriod", health.start_period),
                ("StartInterval", health.start_interval),
                ("Retries", health.retries),
            ]
        )
    out.update(_present([("OnBuild", list(config.on_build)), ("Shell", list(config.shell))]))
    return {**out, **config.unknown} if unknown else out


def history_object(entry: History) -> dict[str, object]:
    """Return a history entry as a JSON object."""
    return _present(
        [
            ("created", entry.created),
            ("created_by", entry.created_by),
            ("author", entry.author),
            ("comment", entry.comment),
            ("empty_layer", entry.empty_layer),
        ]
    )
