"""Image references: `[registry/]repository[:tag][@digest]`, with the defaults of Docker Hub filled in.

The grammar and the defaults are those of distribution/reference: a first component is a registry if it is
`localhost`, holds a `.` or `:`, or has an upper case letter; without one the registry is `docker.io`, where a
repository of one component lies in `library/`.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, UserError

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
_LEGACY_HUB = "index.docker.io"
_OFFICIAL = "library/"
_PATH_LIMIT = 255
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}

_LABEL = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"


class InvalidReference(UserError):
    """An image reference that can't be parsed: the `text` and the `reason`."""

    exit_code = 2

    def __init__(self, text: str, reason: str, help: str, buildkit: str = "") -> None:
        title = f"invalid reference format: '{_shown(text)}': {reason}"
        known = "invalid reference format" + (f": {buildkit}" if buildkit else "")
        super().__init__(Diagnostic(title, notes=[("help", help)], buildkit=known))
        self.text = text
        self.reason = reason


class Reference:
    """A repository with the tag and digest that were written with it. Immutable."""

    __slots__ = ("digest", "domain", "path", "tag")

    domain: str
    path: str
    tag: str | None
    digest: str | None

    def __init__(self, domain: str, path: str, tag: str | None = None, digest: str | None = None) -> None:
        for name, value in zip(("domain", "path", "tag", "digest"), (domain, path, tag, digest), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a reference has no settable attribute {name!r}")

    @property
    def name(self) -> str:
        """The repository with its registry: `docker.io/library/alpine`."""
        return f"{self.domain}/{self.path}"

    @property
    def canonical(self) -> str:
        """The full form, `docker.io/library/alpine:latest`. The default tag is added only if there is no digest."""
        tag = self.tag if self.tag is not None or self.digest else DEFAULT_TAG
        return _join(self.name, tag, self.digest)

    @property
    def familiar(self) -> str:
        """The short form, as people write it: `alpine`, `alpine:3.20`, `ghcr.io/owner/name@sha256:…`."""
        if self.domain != DOCKER_HUB:
            return _join(self.name, self.tag, self.digest)
        short = self.path.removeprefix(_OFFICIAL)
        return _join(self.path if "/" in short else short, self.tag, self.digest)

    def with_tag(self, tag: str) -> Reference:
        """Return the same repository and digest with another tag. Raises `InvalidReference`."""
        _check_tag(f"{self.familiar}:{tag}", tag)
        return Reference(self.domain, self.path, tag, self.digest)

    def with_digest(self, digest: str) -> Reference:
        """Return the same repository and tag with another digest. Raises `InvalidReference`."""
        _check_digest(f"{self.name}@{digest}", digest)
        return Reference(self.domain, self.path, self.tag, digest)

    def __str__(self) -> str:
        return self.canonical

    def __repr__(self) -> str:
        return f"Reference({_join(self.name, self.tag, self.digest)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[str, str, str | None, str | None]:
        return self.domain, self.path, self.tag, self.digest


def parse(text: str) -> Reference:
    """Parse an image reference. Raises `InvalidReference`."""
    if not text:
        raise InvalidReference(
            text, "it is empty", "write a repository, such as alpine or ghcr.io/owner/name"
        )
    if "://" in text:
        raise InvalidReference(text, "it has a scheme", "leave out everything up to '://'")
    rest, at, digest = text.partition("@")
    domain, rest = _split_domain(rest)
    path, colon, tag = rest.partition(":")
    _check_name(text, domain, path)
    if colon:
        _check_tag(text, tag)
    if at:
        _check_digest(text, digest)
    return Reference(domain, path, tag if colon else None, digest if at else None)


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash:
        return DOCKER_HUB, _OFFICIAL + name
    if first == _LEGACY_HUB:
        first = DOCKER_HUB
    if first != "localhost" and not ("." in first or ":" in first) and first == first.lower():
        return DOCKER_HUB, name
    return first, _OFFICIAL + rest if first == DOCKER_HUB and "/" not in rest else rest


def _check_name(text: str, domain: str, path: str) -> None:
    if not _matches(_HOST, domain):
        raise InvalidReference(
            text,
            f"'{_shown(domain)}' is no registry",
            "a registry is a host name or address, perhaps with :port",
        )
    if path != path.lower():
        raise InvalidReference(
            text,
            "the repository name must be lower case",
            f"write {text.lower()}",
            f"repository name ({path}) must be lowercase",
        )
    help = "names are lower case letters and digits, with single '.', '_', '__' or dashes between them"
    for component in path.removeprefix(_OFFICIAL).split("/") if path != _OFFICIAL else [""]:
        if not component:
            raise InvalidReference(text, "a part of the repository name is empty", help)
        if not _matches(_COMPONENT, component):
            raise InvalidReference(text, f"'{_shown(component)}' can't be part of a repository name", help)
    if len(path) > _PATH_LIMIT:
        raise InvalidReference(
            text, f"the repository name is longer than {_PATH_LIMIT} characters", "shorten it"
        )
    if _matches("[a-f0-9]{64}", text):
        raise InvalidReference(
            text,
            "64 hexadecimal digits are an image's id",
            f"to name an image by digest, write NAME@sha256:{text}",
        )


def _check_tag(text: str, tag: str) -> None:
    if not _matches(_TAG, tag):
        raise InvalidReference(
            text,
            f"'{_shown(tag)}' is no tag" if tag else "the tag is empty",
            "a tag is up to 128 letters, digits, '_', '.' and '-', and starts with none of the last two",
        )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, encoded = digest.partition(":")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise InvalidReference(
            text,
            f"'{_shown(digest)}' is no digest"
            if ":" not in digest
            else f"the digest's algorithm is '{_shown(algorithm)}'",
            "digests are sha256:, sha384: or sha512: and hexadecimal digits",
        )
    if not _matches(f"[a-f0-9]{{{length}}}", encoded):
        raise InvalidReference(
            text,
            f"'{_shown(digest)}' is no {algorithm} digest",
            f"it needs {length} lower case hexadecimal digits",
        )


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.fullmatch(pattern, text) is not None


def _shown(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _join(name: str, tag: str | None, digest: str | None) -> str:
    return name + (f":{tag}" if tag is not None else "") + (f"@{digest}" if digest else "")
