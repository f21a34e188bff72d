"""Annotations of an image, by the place they are written to and the platform they are for.

Places are those of buildx: `manifest` (the default), `manifest-descriptor` (the manifest's entry in an index
or layout), `index` and `index-descriptor`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import UsageError, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PLACES = ("manifest", "manifest-descriptor", "index", "index-descriptor")


class Annotations:
    """A set of annotations: (place, platform text or "", key) to value; later ones win. Made by `parse_flag`
    and `parse_option`, joined by `+`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[tuple[str, str, str], str] | None = None) -> None:
        self._values = dict(values or {})

    @property
    def need_oci(self) -> bool:
        """True if a place is used that Docker's media types lack."""
        return any(place != "manifest" for place, _, _ in self._values)

    @property
    def identity(self) -> tuple[object, ...]:
        return tuple(sorted(self._values.items()))

    def manifest(self, platform: Mapping[str, object]) -> dict[str, str]:
        return self._for("manifest", platform)

    def descriptor(self, platform: Mapping[str, object]) -> dict[str, str]:
        return self._for("manifest-descriptor", platform)

    def index(self) -> dict[str, str]:
        return self._for("index", {})

    def index_descriptor(self) -> dict[str, str]:
        return self._for("index-descriptor", {})

    def strangers(self, platforms: Iterable[Mapping[str, object]]) -> list[str]:
        """Return the platforms that annotations name and that are none of `platforms`."""
        known = {"", *map(_full, platforms)}
        return [where for _, where, _ in self._values if where not in known]

    def _for(self, place: str, platform: Mapping[str, object]) -> dict[str, str]:
        """Return the annotations of a place: those for every platform, then those for this one."""
        full = _full(platform)
        out = {key: value for (at, where, key), value in self._values.items() if at == place and not where}
        for (at, where, key), value in self._values.items():
            if at == place and where and where == full:
                out[key] = value
        return out

    def __add__(self, other: Annotations) -> Annotations:
        return Annotations({**self._values, **other._values})

    def __bool__(self) -> bool:
        return bool(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Annotations) and self._values == other._values

    __hash__ = None  # type: ignore[assignment]


def _full(platform: Mapping[str, object]) -> str:
    names = ("os", "architecture", "variant")
    return "/".join(str(platform[name]) for name in names if platform.get(name))


def parse_flags(texts: Iterable[str]) -> Annotations:
    """Parse values of `--annotation`: `[PLACE[[PLATFORM]][,…]:]KEY=VALUE`. Raises UsageError."""
    values: dict[tuple[str, str, str], str] = {}
    for text in texts:
        left, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"invalid annotation {text!r}", help="write key=value, or manifest:key=value")
        places, colon, key = left.partition(":")
        for place in places.split(",") if colon else ["manifest"]:
            values[(*_place(place, text), key if colon else left)] = value
    return Annotations(values)


def parse_option(key: str, value: str) -> Annotations | None:
    """Return the annotation of an output option: `annotation.KEY`, `annotation-PLACE.KEY` or
    `annotation-PLACE[PLATFORM].KEY`; None when `key` is no such option. Raises UsageError for an unknown
    place."""
    if not key.startswith("annotation"):
        return None
    head, dot, name = _split_option(key)
    if not dot or not name:
        return None
    rest = head.removeprefix("annotation")
    if rest.startswith("["):
        place, platform = _place("manifest" + rest, key)
    elif rest.startswith("-"):
        place, platform = _place(rest[1:], key)
    elif not rest:
        place, platform = "manifest", ""
    else:
        return None
    return Annotations({(place, platform, name): value})


def _split_option(key: str) -> tuple[str, str, str]:
    """Split an option at the first dot outside brackets."""
    start = key.find("]") if "[" in key.partition(".")[0] else 0
    at = key.find(".", max(start, 0))
    return (key, "", "") if at < 0 else (key[:at], ".", key[at + 1 :])


def _place(text: str, whole: str) -> tuple[str, str]:
    name, bracket, platform = text.partition("[")
    if bracket and not platform.endswith("]"):
        raise UsageError(f"invalid annotation {whole!r}", help="close the platform's bracket with ']'")
    if name not in PLACES:
        near = suggest(name, PLACES)
        raise UsageError(
            f"unknown annotation type {name!r} in {whole!r}",
            help=f"did you mean {near}?" if near else f"use one of {', '.join(PLACES)}",
        )
    return name, platform.removesuffix("]")
