"""Platforms: parsing, formatting, this machine's platform, and which platform runs the programs of another.

Names, defaults and the order of preference are those of containerd/platforms, which BuildKit uses.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence

from attrs import evolve

from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic, UserError, suggest
from pybuild.lang.dockerfile.goquote import quote

# fmt: off
OPERATING_SYSTEMS = frozenset(
    (
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux",
        "nacl", "netbsd", "openbsd", "plan9", "solaris", "windows", "zos",
    )
)
ARCHITECTURES = frozenset(
    (
        "386", "amd64", "amd64p32", "arm", "arm64", "arm64be", "armbe", "loong64", "mips", "mips64",
        "mips64le", "mips64p32", "mips64p32le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv", "riscv64",
        "s390", "s390x", "sparc", "sparc64", "wasm",
    )
)
# fmt: on

_OS_PART = re.compile(r"([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)((?:\+[A-Za-z0-9_.%-]+)*)\))?")
_PART = re.compile(r"[A-Za-z0-9_.-]+")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")

_ARCHITECTURE_NAMES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
_MACHINES = {
    **{f"i{n}86": "386" for n in range(3, 7)},
    "loongarch64": "loong64",
    "mips": f"mips{'le' if sys.byteorder == 'little' else ''}",
    "mips64": f"mips64{'le' if sys.byteorder == 'little' else ''}",
}
_WINDOWS_STABLE_BUILD = 20348
"""The build of Windows Server 2022. From it on a host runs images of any build between this one and its own."""


class BadPlatform(UserError):
    """A text that isn't a platform."""

    exit_code = 2

    def __init__(self, text: str, reason: str, help: str | None = None) -> None:
        help = help or "write os/architecture or os/architecture/variant, such as linux/amd64 or linux/arm/v7"
        shown = text if text.isprintable() else ascii(text)[1:-1]
        title, known = f"bad platform '{shown}': {reason}", f"{quote(text)}: {_known(text)}: invalid argument"
        super().__init__(Diagnostic(title, notes=[("help", help)], buildkit=known))


def parse(text: str) -> Platform:
    """Parse a platform and normalize it. Raises `BadPlatform`.

    The text is `os[(version+feature…)]/architecture[/variant]`, an operating system or an architecture alone
    (the other one is this machine's), or `local`, which is this machine.
    """
    return normalize(parse_specifier(text))


def parse_specifier(text: str) -> Platform:
    """Parse a platform but keep its variant as written: arm64 keeps `v8`, plain `arm` gets no `v7`."""
    if text == "local":
        return default()
    first, *parts = text.split("/")
    match = _OS_PART.fullmatch(first)
    if match is None or not all(map(_PART.fullmatch, parts)) or len(parts) > 2:
        raise BadPlatform(text, _reason(text, first, parts))
    version = _decoded(text, match[2] or "")
    features = tuple(_decoded(text, feature) for feature in (match[3] or "").split("+")[1:])
    platform = Platform(os=_os_name(match[1]), os_version=version, os_features=features)
    if not parts:
        return _from_one_word(text, platform)
    architecture, variant = _architecture(parts[0], parts[1] if len(parts) == 2 else "")
    if len(parts) == 1 and (architecture, variant) == ("arm", "v7"):
        variant = ""
    if len(parts) == 2 and (architecture, variant) == ("arm64", ""):
        variant = "v8"
    return evolve(platform, architecture=architecture, variant=variant)


def default() -> Platform:
    """Return this machine's platform, normalized. An amd64 has no variant, whatever its processor can do."""
    uname = os.uname()
    machine = uname.machine.lower()
    # The machine of a 32-bit arm has its variant in the name: armv6l, armv7l.
    if machine.startswith("armv") and machine[4:5].isdigit():
        return Platform(architecture="arm", os=uname.sysname.lower(), variant=machine[3:5])
    architecture, variant = _architecture(_MACHINES.get(machine, machine), "")
    return Platform(architecture=architecture, os=uname.sysname.lower(), variant=variant)


def format(platform: Platform) -> str:
    """Format a platform: `linux/arm64`, `linux/arm/v7`; `unknown` without an operating system."""
    if not platform.os:
        return "unknown"
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))


def format_all(platform: Platform) -> str:
    """Format a platform with the system's version and features: `windows(10.0.17763+win32k)/amd64`."""
    if not platform.os:
        return "unknown"
    options = _encoded(platform.os_version)
    options += "".join("+" + _encoded(feature) for feature in sorted(platform.os_features))
    return format(evolve(platform, os=f"{platform.os}({options})" if options else platform.os))


def normalize(platform: Platform) -> Platform:
    """Return the one spelling of a platform: `amd64` for `x86_64`, arm64 without `v8`, arm with `v7` by default."""
    architecture, variant = _architecture(platform.architecture, platform.variant)
    return Platform(
        architecture=architecture,
        os=_os_name(platform.os),
        variant=variant,
        os_version=platform.os_version,
        os_features=tuple(sorted(set(platform.os_features))),
    )


def compatible(wanted: Platform) -> Iterator[Platform]:
    """Yield the platforms whose programs `wanted` runs, best first: itself, lower variants, its 32-bit relatives."""
    wanted = normalize(wanted)
    yield wanted
    for architecture, variant in _lower(wanted.architecture, wanted.variant):
        yield normalize(evolve(wanted, architecture=architecture, variant=variant))


def matches(wanted: Platform, candidate: Platform, *, strict: bool = False) -> bool:
    """True if an image for `candidate` runs on `wanted`; with `strict` only if they are the same platform."""
    return best(wanted, [candidate], strict=strict) is not None


def best(wanted: Platform, candidates: Sequence[Platform], *, strict: bool = False) -> int | None:
    """Return the number of the candidate that suits `wanted` best, the first of equals; None if none does."""
    normal = [normalize(candidate) for candidate in candidates]
    for platform in [normalize(wanted)] if strict else compatible(wanted):
        for number, candidate in enumerate(normal):
            if _same(platform, candidate):
                return number
    return None


def _same(wanted: Platform, candidate: Platform) -> bool:
    """Compare two normalized platforms. A candidate may need fewer features; versions count for Windows only."""
    return (
        (wanted.os, wanted.architecture, wanted.variant)
        == (candidate.os, candidate.architecture, candidate.variant)
        and set(candidate.os_features) <= set(wanted.os_features)
        and (wanted.os != "windows" or _windows_runs(wanted.os_version, candidate.os_version))
    )


def _windows_runs(host: str, image: str) -> bool:
    """True if Windows of version `host` runs images of version `image`; an unknown version always fits."""
    ours = _windows_version(host)
    if ours is None or not image:
        return True
    theirs = _windows_version(image) or (0, 0, 0)
    if ours[:2] != theirs[:2]:
        return False
    if ours[2] < _WINDOWS_STABLE_BUILD:
        return ours[2] == theirs[2]
    return _WINDOWS_STABLE_BUILD <= theirs[2] <= ours[2]


def _windows_version(text: str) -> tuple[int, int, int] | None:
    match = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})(?:\.|$)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _lower(architecture: str, variant: str) -> Iterator[tuple[str, str]]:
    """Yield the architectures and variants whose programs the given one runs too, best first."""
    numbers = re.fullmatch(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?", variant)
    major = int(numbers[1]) if numbers else 0
    minor = int(numbers[2] or 0) if numbers else 0
    match architecture:
        case "amd64":
            yield from (("amd64", f"v{n}") for n in range(major - 1, 0, -1))
            yield "386", ""
        case "arm":
            yield from (("arm", f"v{n}") for n in range(major - 1, 4, -1))
        case "arm64":
            yield from _lower_arm64(major or (0 if variant else 8), minor)
            yield from (("arm", f"v{n}") for n in range(8, 4, -1))


def _lower_arm64(major: int, minor: int) -> Iterator[tuple[str, str]]:
    """Yield the lower variants of arm64. Armv9.n includes Armv8.(n+5), so it runs that one's programs too."""
    if major == 9:
        yield from (("arm64", _dotted(9, n)) for n in range(minor - 1, -1, -1))
        # One more than the minor version of Armv8 that is included, because the range excludes it.
        major, minor = 8, minor + 6
    if major >= 8:
        yield from (("arm64", _dotted(major, n)) for n in range(minor - 1, -1, -1))


def _dotted(major: int, minor: int) -> str:
    return f"v{major}.{minor}" if minor else f"v{major}"


def _os_name(name: str) -> str:
    name = name.lower()
    return {"macos": "darwin", "": os.uname().sysname.lower()}.get(name, name)


def _architecture(name: str, variant: str) -> tuple[str, str]:
    """Return the usual names of an architecture and its variant."""
    name, variant = name.lower(), variant.lower()
    name = _ARCHITECTURE_NAMES.get(name, name)
    match name:
        case "386":
            return name, ""
        case "amd64":
            return name, "" if variant == "v1" else variant
        case "arm64":
            return name, "" if variant in ("8", "v8") else variant
        case "armhf":
            return "arm", "v7"
        case "armel":
            return "arm", "v6"
        case "arm":
            return name, f"v{variant or 7}" if variant in ("", "5", "6", "7", "8") else variant
    return name, variant


def _from_one_word(text: str, platform: Platform) -> Platform:
    here = default()
    if platform.os in OPERATING_SYSTEMS:
        variant = "" if here.variant == "v7" else here.variant
        return evolve(platform, architecture=here.architecture, variant=variant)
    architecture, variant = _architecture(text, "")
    if architecture in ARCHITECTURES:
        variant = "" if (architecture, variant) == ("arm", "v7") else variant
        return Platform(architecture=architecture, os=here.os, variant=variant)
    near = suggest(text, OPERATING_SYSTEMS | ARCHITECTURES | _ARCHITECTURE_NAMES.keys() | {"local"})
    raise BadPlatform(
        text, "no such operating system or architecture", f"did you mean {near}?" if near else None
    )


def _known(text: str) -> str:
    """Return containerd's message for the text."""
    if "*" in text:
        return "wildcards not yet supported"
    if "/" not in text:
        return "unknown operating system or architecture"
    return "cannot parse platform specifier"


def _reason(text: str, first: str, parts: Sequence[str]) -> str:
    if "*" in text:
        return "wildcards are not supported"
    if not text:
        return "it is empty"
    if len(parts) > 2:
        return f"it has {len(parts) + 1} parts"
    if "" in (first, *parts):
        return "a part is empty"
    return "only letters, digits, '_', '.' and '-' can be in it"


def _decoded(text: str, option: str) -> str:
    if "%" not in option:
        return option
    if any(escape[1] is None for escape in _ESCAPE.finditer(option)):
        raise BadPlatform(text, f"'{option}' has a '%' that no two hexadecimal digits follow")
    from urllib.parse import unquote

    return unquote(option)


def _encoded(option: str) -> str:
    return re.sub(r"[%+()/]", lambda match: f"%{ord(match[0]):02X}", option)
