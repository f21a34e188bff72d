"""Addresses of remote modules in `use`: a file of a repository, or an image (language spec, section 14).

github.com/org/repo//path/to/file.pybuild@v1.4.0      any git host; https, unless the address has another scheme
ssh://git@host/org/repo@9c2e…  git@host:org/repo@main
oci://registry/name:tag
"""

from __future__ import annotations

import posixpath
import re

from pybuild.lang.diagnostics import UserError
from pybuild.lang.textual.modules import NotFound

DEFAULT_FILE = "build.pybuild"
OCI = "oci://"
SCHEMES = ("https://", "http://", "ssh://", "git://")
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|localhost|\[[0-9a-fA-F:]+\])(?::\d+)?/.+|.+:\d+/.+")
_SCP = re.compile(r"[^@/:\s]+@[A-Za-z0-9.-]+:[^@\s]+")
_FORMS = "write it as HOST/ORG/REPO//FILE.pybuild@TAG"


class Address:
    """The address of a remote module. `written` is the whole text, `url` the address of the repository or
    image, `path` the file in it, `ref` a tag, branch or commit, "" for an image."""

    __slots__ = ("path", "ref", "url", "written")

    def __init__(self, written: str, url: str, path: str, ref: str) -> None:
        self.written = written
        self.url = url
        self.path = path
        self.ref = ref

    @property
    def is_image(self) -> bool:
        return self.url.startswith(OCI)

    @property
    def image(self) -> str:
        """The reference of the image."""
        return self.url.removeprefix(OCI)

    @property
    def pin(self) -> str:
        """The commit or digest that the address itself contains, "" for none."""
        if self.is_image:
            return self.url.partition("@")[2]
        return self.ref if COMMIT.fullmatch(self.ref) else ""


def is_remote(path: str) -> bool:
    """Report whether a path has the form of an address. `parse` reports what is wrong with it."""
    if path.startswith((OCI, *SCHEMES)) or _SCP.match(path):
        return True
    return _HOST.fullmatch(path.partition("@")[0]) is not None


def parse(written: str) -> Address:
    """Parse an address. Raises NotFound (E0801) for one that cannot name a module."""
    if written.startswith(OCI):
        return _image(written)
    rest, at, ref = written.rpartition("@")
    scheme, _, address = rest.rpartition("://") if rest.startswith(SCHEMES) else ("", "", rest)
    repository, _, path = address.partition("//")
    user, has_user, _ = repository.partition("@")
    if not at or "://" in ref or not _is_repository(scheme, repository):
        raise _bad(written, "names no version", f"{_FORMS}: a tag or a whole commit hash")
    if has_user and ":" in user:
        raise _bad(written, "has a password", "leave it out: give a secret named GIT_AUTH_TOKEN to the build")
    if ".." in path.split("/"):
        raise _bad(written, "leaves the repository", _FORMS)
    path = posixpath.normpath(path.strip("/") or DEFAULT_FILE)
    return Address(written, f"{scheme}://{repository}" if scheme else repository, path, ref)


def _is_repository(scheme: str, text: str) -> bool:
    host, slash, path = text.partition("/")
    if scheme:
        return bool(host and slash and path)
    return bool(_SCP.fullmatch(text) or _HOST.fullmatch(text))


def _image(written: str) -> Address:
    from pybuild.compiler import reference

    try:
        reference.parse(written.removeprefix(OCI))
    except UserError as error:
        help = next((text for word, text in error.diagnostic.notes if word == "help"), "")
        raise _bad(written, str(error), help) from None
    return Address(written, written, DEFAULT_FILE, "")


def _bad(written: str, label: str, help: str) -> NotFound:
    return NotFound("E0801", f"`{written}` is no address of a module", label=label, help=help)
