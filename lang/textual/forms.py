"""The forms of checked strings: paths, image references, platforms and versions (language spec, section 6).

path      any text that isn't empty and has no NUL
ref       [REGISTRY/]REPOSITORY[:TAG][@DIGEST], as distribution/reference has it
platform  OS/ARCHITECTURE[/VARIANT], with Go's names, in small letters
version   numbers separated by dots, and an optional pre-release: 3.12, 12.4.1, 1.0-rc1, 1.0.0-alpha.1
"""

from __future__ import annotations

import re

from attrs import frozen

from pybuild.lang.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

# fmt: off
SYSTEMS: Final = frozenset(
    (
        "aix", "android", "darwin", "dragonfly", "freebsd", "hurd", "illumos", "ios", "js", "linux",
        "nacl", "netbsd", "openbsd", "plan9", "solaris", "wasip1", "windows", "zos",
    )
)
ARCHITECTURES: Final = frozenset(
    (
        "386", "amd64", "amd64p32", "arm", "arm64", "arm64be", "armbe", "loong64", "mips", "mips64",
        "mips64le", "mips64p32", "mips64p32le", "mipsle", "ppc", "ppc64", "ppc64le", "riscv", "riscv64",
        "s390", "s390x", "sparc", "sparc64", "wasm",
    )
)
# fmt: on

_OTHER_NAMES: Final = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "x64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "macos": "darwin",
}
_VARIANT: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")

_LABEL: Final = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT: Final = re.compile("[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*")
_TAG: Final = re.compile("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGITS: Final = {"sha256": 64, "sha384": 96, "sha512": 128}
_LONGEST_NAME: Final = 255

_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?")


@frozen
class Flaw:
    """The reason why a text has not its form, and a remedy. `instead` is the text that is probably meant, or ""."""

    reason: str
    help: str = ""
    instead: str = ""


def flaw(type: str, text: str) -> Flaw | None:
    """Return what is wrong with a text as a `path`, `ref`, `platform` or `version`, None if nothing is."""
    return _CHECKS[type](text)


def path(text: str) -> Flaw | None:
    if not text:
        return Flaw("empty", 'the directory itself is "."')
    return Flaw("has a NUL character") if "\0" in text else None


def platform(text: str) -> Flaw | None:
    parts = text.split("/")
    if len(parts) not in (2, 3):
        return _platform_shape(text, parts)
    for at, (known, what) in enumerate(((SYSTEMS, "operating system"), (ARCHITECTURES, "architecture"))):
        if parts[at] not in known:
            near = _OTHER_NAMES.get(parts[at].lower()) or _near(parts[at], known)
            instead = "/".join((*parts[:at], near, *parts[at + 1 :])) if near else ""
            valid = instead and platform(instead) is None
            return Flaw(f"no {what} `{parts[at]}`", _PLATFORMS, instead if valid else "")
    if len(parts) == 3 and _VARIANT.fullmatch(parts[2]) is None:
        return Flaw(f"no variant `{parts[2]}`", "variants are such as `v7` of `linux/arm/v7`")
    return None


def reference(text: str) -> Flaw | None:
    if not text:
        return Flaw("empty", "for an empty file system write `scratch`")
    if "://" in text:
        rest = text.split("://", 1)[1]
        return Flaw("has a scheme", "leave out the scheme", rest if reference(rest) is None else "")
    if re.search(r"\s", text):
        instead = re.sub(r"\s+", "", text)
        return Flaw("has white space", "leave it out", instead if reference(instead) is None else "")
    rest, at, digest = text.partition("@")
    host, name = _split(rest)
    name, colon, tag = name.partition(":")
    if host and _HOST.fullmatch(host) is None:
        return Flaw(
            f"`{host}` is no registry", "a registry is a host name or an address, perhaps with `:PORT`"
        )
    return (
        _name(text, host, name)
        or (_tag(tag) if colon else None)
        or (_digest(digest) if at else None)
        or _image_id(text)
    )


def version(text: str) -> Flaw | None:
    if _VERSION.fullmatch(text):
        return None
    if text[:1] in ("v", "V") and _VERSION.fullmatch(text[1:]):
        return Flaw("starts with a letter", instead=text[1:])
    reason = "not numbers with dots between them" if text else "empty"
    return Flaw(reason, 'write it such as "1.22", "12.4.1" or "2.0-rc1"')


_PLATFORMS: Final = (
    "write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as `linux/amd64` or `linux/arm/v7`"
)
_CHECKS: Final[dict[str, Callable[[str], Flaw | None]]] = {
    "path": path,
    "platform": platform,
    "ref": reference,
    "version": version,
}


def _near(word: str, known: frozenset[str]) -> str:
    return word.lower() if word.lower() in known else suggest(word, known) or ""


def _platform_shape(text: str, parts: list[str]) -> Flaw:
    if len(parts) > 3:
        return Flaw(f"has {len(parts)} parts", _PLATFORMS)
    if parts[0] in ARCHITECTURES or parts[0].lower() in _OTHER_NAMES:
        name = _OTHER_NAMES.get(parts[0].lower(), parts[0])
        return Flaw("has no operating system", _PLATFORMS, f"linux/{name}" if name in ARCHITECTURES else "")
    return Flaw("has no architecture" if text else "empty", _PLATFORMS)


def _split(name: str) -> tuple[str, str]:
    """Split a name into the registry ("" for the default one) and the rest."""
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first or first != first.lower()):
        return "", name
    return first, rest


def _name(text: str, host: str, name: str) -> Flaw | None:
    if name != name.lower():
        lowered = text.replace(name, name.lower(), 1)
        valid = reference(lowered) is None
        return Flaw(
            "the repository has capital letters", "write it in small letters", lowered if valid else ""
        )
    for part in name.split("/"):
        if _COMPONENT.fullmatch(part) is None:
            advice = (
                "a repository is small letters and digits, with single `.`, `_`, `__` or dashes between them"
            )
            return Flaw(
                f"`{part}` is no part of a repository's name" if part else "a part of the name is empty",
                advice,
            )
    whole = name if host or "/" in name else f"library/{name}"
    if len(whole) > _LONGEST_NAME:
        return Flaw(f"the repository is longer than {_LONGEST_NAME} characters", "shorten it")
    return None


def _tag(tag: str) -> Flaw | None:
    if _TAG.fullmatch(tag):
        return None
    advice = "a tag is up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two"
    return Flaw(f"`{tag}` is no tag" if tag else "the tag is empty", advice)


def _digest(digest: str) -> Flaw | None:
    algorithm, colon, digits = digest.partition(":")
    length = _DIGITS.get(algorithm)
    if not colon or length is None:
        return Flaw(f"`{digest}` is no digest", "write `@sha256:` and 64 hexadecimal digits")
    if re.fullmatch(f"[a-f0-9]{{{length}}}", digits) is None:
        return Flaw(f"the digest has not {length} hexadecimal digits", "copy the whole digest")
    return None


def _image_id(text: str) -> Flaw | None:
    if re.fullmatch("[a-f0-9]{64}", text):
        return Flaw(
            "64 hexadecimal digits are an image's id", f"to name an image by digest: NAME@sha256:{text}"
        )
    return None
