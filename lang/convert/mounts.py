"""Converts `--mount` of RUN to run options."""

from __future__ import annotations

import posixpath

from pybuild.lang.convert import problems
from pybuild.lang.convert.values import Piece, Value, joined, known, string, written
from pybuild.lang.dockerfile.mount_options import MountOptions, read_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from pybuild.lang.convert.stage import Stage
    from pybuild.lang.dockerfile.instructions import RunMount

_FIRST: Final = 0x100000
"""The first character of Unicode's private plane 16. They stand for expressions, as no Dockerfile uses them."""
_SIZES: Final = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_DEFAULT_MODE: Final = {"cache": 0o755, "secret": 0o400, "ssh": 0o600}


def mount_options(stage: Stage, mount: RunMount) -> list[str]:
    """Return the run options for a mount. Raises SourceError."""
    codes = _Codes(stage, mount)
    options = read_options(mount, codes.stand_in)
    return _KINDS[options.type](stage, mount, options, codes)


class _Codes:
    """Values of a mount that are expressions. Characters of a private plane stand for them while the options are
    read."""

    def __init__(self, stage: Stage, mount: RunMount) -> None:
        self._stage = stage
        self._mount = mount
        self._pieces: list[Piece] = []

    def stand_in(self, text: str) -> str:
        """Return an expanded value, with stand-ins for expressions."""
        out = ""
        for piece in self._stage.value(text, self._mount.span, lenient=True):
            if not isinstance(piece, str):
                self._pieces.append(piece)
                piece = chr(_FIRST + len(self._pieces) - 1)
            out += piece
        return out

    def value(self, text: str) -> Value:
        """Return the value of a text that may contain stand-ins."""
        return joined(
            self._pieces[ord(char) - _FIRST] if ord(char) >= _FIRST and self._pieces else char
            for char in text
        )

    def string(self, text: str) -> str:
        return written(self.value(text))

    def target(self, text: str) -> str:
        """Return a mount point. Raises SourceError."""
        path = self._stage.at(self.value(text or "."))
        if path is None:
            help = "write an absolute path, or set WORKDIR above"
            raise problems.not_expressible(
                "a mount point in a directory of the base image", self._mount.span, help
            )
        text = known(path) or ""
        return string(posixpath.normpath(text)) if text else written(path)


def state_of(stage: Stage, name: str) -> str:
    """Return the target or the image that `from` names, as an expression. Raises SourceError."""
    target = stage.shared.stages.get(name.lower())
    if target is not None:
        return target.name
    return f"image({string(name)})"


def _call(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(filter(None, arguments))})"


def _owner(options: MountOptions) -> list[str]:
    """Return the options for the mount's owner, and its mode if that isn't the default."""
    out = [f"{key}={value}" for key in ("uid", "gid") if (value := getattr(options, key)) is not None]
    if options.mode is not None and options.mode != _DEFAULT_MODE[options.type]:
        out.append(f"mode=0o{options.mode:o}")
    return out


def _source(stage: Stage, options: MountOptions) -> str:
    return state_of(stage, options.from_name) if options.from_name else "context"


def _bind(stage: Stage, mount: RunMount, options: MountOptions, codes: _Codes) -> list[str]:
    path = posixpath.normpath("/" + options.source).lstrip("/")
    if options.from_name:
        path = f"/{path}" if path else ""
    return [
        _call(
            "bind",
            _source(stage, options),
            f"at={codes.target(options.target)}",
            f"path={codes.string(path)}" if path else "",
            "rw=true" if options.writable else "",
        )
    ]


def _cache(stage: Stage, mount: RunMount, options: MountOptions, codes: _Codes) -> list[str]:
    if not options.writable:
        stage.differs("the cache may be written to", mount.span)
    owner = _owner(options)
    if stage.user not in ("", "root", "0", None):
        owner += [f"{key}=0" for key in ("uid", "gid") if getattr(options, key) is None]
    seed = ""
    if options.from_name:
        if posixpath.normpath("/" + options.source).strip("/"):
            help = "copy the part into a stage of its own, FROM scratch, and name that"
            raise problems.not_expressible("a cache that starts with a part of a stage", mount.span, help)
        seed = f"seed={state_of(stage, options.from_name)}"
    same = options.id in ("", posixpath.normpath(options.target))
    return [
        _call(
            "cache",
            codes.target(options.target),
            "" if same else f"id={codes.string(options.id)}",
            f"sharing={string(options.sharing)}" if options.sharing not in ("", "shared") else "",
            seed,
            *owner,
        )
    ]


def _tmpfs(stage: Stage, mount: RunMount, options: MountOptions, codes: _Codes) -> list[str]:
    return [
        _call("tmpfs", codes.target(options.target), f"size={_size(options.size)}" if options.size else "")
    ]


def _size(size: int) -> str:
    for unit, name in _SIZES:
        if not size % unit:
            return f"{size // unit}{name}"
    return f"{-(-size // 1024)}KiB"


def _secret(stage: Stage, mount: RunMount, options: MountOptions, codes: _Codes) -> list[str]:
    """Return a secret as a file, a variable, or both, which are two options."""
    id = options.source or options.id or posixpath.basename(options.target.rstrip("/"))
    shared = ["" if options.required else "optional=true", *_owner(options)]
    out = []
    if options.target or options.env is None:
        default = options.target in ("", f"/run/secrets/{id}")
        out.append(
            _call(
                "secret", codes.string(id), "" if default else f"at={codes.target(options.target)}", *shared
            )
        )
    if options.env is not None:
        out.append(_call("secret", codes.string(id), f"env={codes.string(options.env)}", shared[0]))
    return out


def _ssh(stage: Stage, mount: RunMount, options: MountOptions, codes: _Codes) -> list[str]:
    if _owner(options):
        stage.differs("the agent's socket belongs to root and has the mode 0600", mount.span)
    return [
        _call(
            "ssh",
            codes.string(options.id) if options.id not in ("", "default") else "",
            f"at={codes.target(options.target)}" if options.target else "",
            "" if options.required else "optional=true",
        )
    ]


_KINDS: Final[Mapping[str, Callable[[Stage, RunMount, MountOptions, _Codes], list[str]]]] = {
    "bind": _bind,
    "cache": _cache,
    "tmpfs": _tmpfs,
    "secret": _secret,
    "ssh": _ssh,
}
