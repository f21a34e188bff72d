"""Sources, and functions of states (language spec, section 10), named as in the language."""

from __future__ import annotations

from typing import overload

from pybuild.lang.python.calls import call
from pybuild.lang.python.expressions import Option, State
from pybuild.lang.python.recording import here
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pybuild.lang.source import Span


def _source(name: str, /, *positional: object, **named: object) -> State:
    return State(call(name, positional, named))


def image(ref: str, *, platform: str | None = None) -> State:
    """Return an image of a registry, for `platform` (default: the one being built for)."""
    return _source("image", ref, platform=platform)


def git(
    url: str,
    *,
    ref: str | None = None,
    subdir: str | None = None,
    submodules: bool = True,
    keep_git: bool = False,
    auth: Sequence[Option] | None = None,
) -> State:
    """Return a repository at a branch, tag or commit (default: `HEAD`), or the part of it below `subdir`.

    `auth` takes `pb.secret(id)`, a token, and `pb.ssh()`.
    """
    return _source(
        "git",
        url,
        ref=ref,
        subdir=subdir,
        submodules=None if submodules else False,
        keep_git=keep_git or None,
        auth=auth,
    )


def http(
    url: str,
    *,
    sha256: str | None = None,
    name: str | None = None,
    unpack: bool = False,
    strip: int | None = None,
    mode: int | None = None,
    auth: Sequence[Option] | None = None,
) -> State:
    """Return a file at an address, under the last component of its path or `name`.

    With `unpack` it is the contents of the archive, without the first `strip` components of each name. `sha256` is
    the file's digest (64 hexadecimal digits); `auth` takes `pb.secret(id)`, the Authorization header.
    """
    return _source(
        "http", url, sha256=sha256, name=name, unpack=unpack or None, strip=strip, mode=mode, auth=auth
    )


def local(path: str, *, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None) -> State:
    """Return a directory beside the build module; any other needs `--allow read=PATH`.

    `include` and `exclude` are patterns of `.dockerignore`.
    """
    return _source("local", path, include=include, exclude=exclude)


def oci(path: str) -> State:
    """Return an image of an OCI layout: `PATH[:TAG][@DIGEST]`."""
    return _source("oci", path)


def dockerfile(
    path: str,
    *,
    context: State | None = None,
    target: str | None = None,
    args: Mapping[str, str] | None = None,
    contexts: Mapping[str, State] | None = None,
) -> State:
    """Return a stage of a Dockerfile (default: the last one), its steps inlined.

    `args` are build arguments, `contexts` are named contexts.
    """
    return _source("dockerfile", path, context=context, target=target, args=args, contexts=contexts)


def frontend(
    ref: str, *, inputs: Mapping[str, State] | None = None, opts: Mapping[str, str] | None = None
) -> State:
    """Return the result of a frontend image for `inputs` and `opts`."""
    return _source("frontend", ref, inputs=inputs, opts=opts)


@overload
def host(commands: Sequence[str], /) -> State: ...
@overload
def host(name: str, ip: str) -> Option: ...
def host(name: Sequence[str], ip: str | None = None) -> State | Option:
    """Return commands of this machine as a state, or add a line to `/etc/hosts`.

    With a list of commands: a small root file system made of these commands and the libraries they need. With a name
    and an address: a run option, which adds a line to the runs' `/etc/hosts`.
    """
    if ip is None:
        return _source("host", name)
    return Option(call("host", (name, ip), {}, "option"), "host")


def merge(*states: State) -> State:
    """Lay file systems over one another, the last on top; the image config is the first one's."""
    return _source("merge", *states)


def diff(lower: State, upper: State) -> State:
    """Return the changes from `lower` to `upper`; the image config is `upper`'s."""
    return _source("diff", lower, upper)


class NamedState(State):
    """A state with a name of its own: `scratch`, `context`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def node(self) -> tree.Expr:
        return self.at(here().span)

    def at(self, span: Span) -> tree.Expr:
        return tree.Name(span, self._name)

    def __repr__(self) -> str:
        return f"pb.{self._name}"


scratch: State = NamedState("scratch")
"""The empty file system with an empty image config."""

context: State = NamedState("context")
"""The directory of the build module, without the files that `.dockerignore` and `pb.ignore` leave out."""
