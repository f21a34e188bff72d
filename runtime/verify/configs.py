"""Rules about the config of an image (OCI image specification, config.md)."""

from __future__ import annotations

import re

from pybuild.runtime.verify.descriptors import is_digest
from pybuild.runtime.verify.findings import quoted
from pybuild.runtime.verify.jsontext import decode_object, string_map, strings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
"""RFC 3339, section 5.6."""


def _text(value: object) -> bool:
    return isinstance(value, str)


_RUNTIME: dict[str, tuple[Callable[[object], bool], str]] = {
    "Cmd": (strings, "a list of strings"),
    "Entrypoint": (strings, "a list of strings"),
    "Env": (strings, "a list of strings"),
    "ExposedPorts": (lambda value: isinstance(value, dict), "an object"),
    "Labels": (string_map, "strings by name"),
    "StopSignal": (_text, "a string"),
    "User": (_text, "a string"),
    "Volumes": (lambda value: isinstance(value, dict), "an object"),
    "WorkingDir": (_text, "a string"),
}
"""Fields of `config` that say how a container is run, and what they must be."""


class Config:
    """The config of an image: the diff IDs of its layers, its platform, and what is wrong with the rest."""

    __slots__ = ("diff_ids", "platform", "problems")

    def __init__(self, data: bytes) -> None:
        """Raises ValueError for data that is no config."""
        value = decode_object(data)
        self.diff_ids = _diff_ids(value)
        names = ("architecture", "os", "variant", "os.version", "os.features")
        self.platform: Mapping[str, object] = {name: value[name] for name in names if value.get(name)}
        self.problems = list(_problems(value, len(self.diff_ids)))


def platform_text(platform: Mapping[str, object]) -> str:
    """Return `os/architecture/variant`."""
    parts = [platform.get(name) for name in ("os", "architecture", "variant")]
    return "/".join(str(part)[:40] for part in parts if part)


def platform_difference(listed: Mapping[str, object], own: Mapping[str, object]) -> tuple[str, bool]:
    """Return how the platform that an index lists differs from the config's, "" if it doesn't, and whether that is
    no more than a detail that one of them leaves out."""
    differing = [
        name for name in ("os", "architecture", "variant", "os.version") if listed.get(name) != own.get(name)
    ]
    if not differing:
        return "", False
    text = f"is listed for {platform_text(listed)}, its config is for {platform_text(own)}"
    if "os.version" in differing and platform_text(listed) == platform_text(own):
        text = "is listed for another os.version than its config is for"
    omitted = all(
        name not in ("os", "architecture") and (not listed.get(name) or not own.get(name))
        for name in differing
    )
    return text, omitted


def _diff_ids(value: dict[str, object]) -> list[str]:
    rootfs = value.get("rootfs")
    if not isinstance(rootfs, dict):
        raise ValueError("it has no rootfs: it is no config of an image")
    ids = rootfs.get("diff_ids")
    if ids is None:
        return []
    if not isinstance(ids, list) or not all(is_digest(entry) for entry in ids):
        raise ValueError("its diff IDs are no list of digests")
    return ids


def _problems(value: dict[str, object], layers: int) -> Iterator[str]:
    for name in ("architecture", "os"):
        if not value.get(name) or not isinstance(value[name], str):
            yield f"has no {name}"
    rootfs = value["rootfs"]
    if isinstance(rootfs, dict) and rootfs.get("type") != "layers":
        yield "has a rootfs of another type than `layers`"
    created = value.get("created")
    if created is not None and not (isinstance(created, str) and _TIME.fullmatch(created)):
        yield "has a field `created` that is no time"
    yield from _history_problems(value.get("history"), layers)
    runtime = value.get("config")
    if runtime is None:
        return
    if not isinstance(runtime, dict):
        yield "has a field `config` that is not an object"
        return
    for name, (valid, kind) in _RUNTIME.items():
        if runtime.get(name) is not None and not valid(runtime[name]):
            yield f"has a field `config.{name}` that is not {kind}"
    variables = runtime.get("Env")
    if isinstance(variables, list):
        for variable in variables:
            if isinstance(variable, str) and variable.find("=") < 1:
                yield f"has the variable {quoted(variable)} without a name or a value"
                return


def _history_problems(history: object, layers: int) -> Iterator[str]:
    if history is None:
        return
    if not isinstance(history, list) or not all(isinstance(entry, dict) for entry in history):
        yield "has a history that is no list of objects"
        return
    full = sum(not entry.get("empty_layer") for entry in history)
    if history and full != layers:
        yield f"has {full} history entries with a layer for {layers} layers"
