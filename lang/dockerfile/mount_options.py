"""Reads the options of one `--mount` of RUN: expands variables and checks values.

The rules are those of BuildKit's `frontend/dockerfile/instructions/commands_runmount.go`. Options are read in the
order written, and a later one replaces an earlier one. Whether an option is allowed depends on the type set before
it, and the type is `bind` until then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from pybuild.lang.booleans import truth
from pybuild.lang.diagnostics import SourceError, source_error, suggest
from pybuild.lang.dockerfile.goquote import quote
from pybuild.lang.dockerfile.instructions import RunMount
from pybuild.lang.dockerfile.numbers import read_number

TYPES = ("bind", "cache", "secret", "ssh", "tmpfs")
SHARING = ("shared", "private", "locked")

_SIZE = re.compile(
    r"(\+?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?) ?(?:b|([kmgtp])(?:i?b)?)?", re.I | re.A
)
_LARGEST_ID = 2**32 - 1
_SIZE_LIMIT = 2**63


@frozen
class MountOptions:
    """The options of a mount. `size` is in bytes, 0 for no limit. None stands for an option that isn't set."""

    type: str = "bind"
    from_name: str = ""
    source: str = ""
    target: str = ""
    readonly: bool | None = None
    size: int = 0
    id: str = ""
    sharing: str = ""
    required: bool = False
    env: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None

    @property
    def has_owner(self) -> bool:
        """True if it sets an owner or a mode for the mounted file or directory."""
        return any(value is not None for value in (self.mode, self.uid, self.gid))

    @property
    def writable(self) -> bool:
        if self.readonly is None:
            return self.type in ("cache", "tmpfs")
        return not self.readonly


class _Bad(Exception):
    def __init__(self, problem: str, help: str) -> None:
        super().__init__(problem)
        self.help = help


@frozen
class _Option:
    """How an option is read, and the field its value goes to.

    `types` are the mount types that allow it, None for all. `alone` is the value of the bare name, None if the option
    needs a value.
    """

    field: str
    read: Callable[[str, str], object]
    types: tuple[str, ...] | None = None
    alone: bool | None = None


def read_options(mount: RunMount, expand: Callable[[str], str]) -> MountOptions:
    """Return the mount's options; every value goes through `expand`. Raises SourceError at the mount."""
    options = MountOptions()
    try:
        for name, value in mount.options:
            options = _with(options, name, None if value is None else expand(value), value)
        _check(options)
    except _Bad as error:
        raise _at(mount, error) from None
    return options


def _at(mount: RunMount, error: _Bad) -> SourceError:
    located = source_error(str(error), mount.span, help=error.help)
    if error.help.startswith("did you mean"):
        located.diagnostic = located.diagnostic.known_as(f"{error} ({error.help})")
    return located


def _with(options: MountOptions, name: str, value: str | None, written: str | None) -> MountOptions:
    key = name.lower()
    option = _OPTIONS.get(key)
    if value is None and (option is None or option.alone is None):
        # Without a value, only options that may stand alone can be meant.
        near = suggest(key, [other for other, known in _OPTIONS.items() if known.alone is not None])
        raise _Bad(
            f"invalid field '{name}' must be a key=value pair",
            f"did you mean {near}?" if near else f"write {name}=…" if option else "write name=value",
        )
    if option is None:
        near = suggest(key, _OPTIONS)
        raise _Bad(
            f"unexpected key '{key}' in '{name}={written}'",
            f"did you mean {near}?" if near else f"a mount has {', '.join(_OPTIONS)}",
        )
    if option.types is not None and options.type not in option.types:
        raise _Bad(
            f"unexpected key '{key}' for mount type '{options.type}'",
            f"{key} is for type={' and type='.join(option.types)}, which has to stand before it",
        )
    changes: dict[str, Any] = {option.field: option.alone if value is None else option.read(key, value)}
    return evolve(options, **changes)


def _text(key: str, value: str) -> str:
    return value


def _type(key: str, value: str) -> str:
    if value.lower() not in TYPES:
        raise _Bad(f"unsupported mount type {quote(value)}", _did_you_mean(value, TYPES))
    return value.lower()


def _sharing(key: str, value: str) -> str:
    if value.lower() not in SHARING:
        raise _Bad(f"unsupported sharing value {quote(value)}", _did_you_mean(value, SHARING))
    return value.lower()


def _did_you_mean(value: str, choices: tuple[str, ...]) -> str:
    near = suggest(value, choices)
    return f"did you mean {near}?" if near else f"give one of {', '.join(choices)}"


def _boolean(key: str, value: str) -> bool:
    read = truth(value)
    if read is None:
        raise _Bad(f"invalid value for {key}: {value}", "give true or false")
    return read


def _negated(key: str, value: str) -> bool:
    return not _boolean(key, value)


def _size(key: str, value: str) -> int:
    match = _SIZE.fullmatch(value)
    size = float(match[1]) * 1024 ** " kmgtp".index((match[2] or " ").lower()) if match else -1
    if not 0 <= size < _SIZE_LIMIT:
        raise _Bad(f"invalid value for {key}: {value}", "give a number of bytes, or one like 64m or 1.5g")
    return int(size)


def _mode(key: str, value: str) -> int:
    return _number(key, value, 8, "give an octal mode such as 0755")


def _user(key: str, value: str) -> int:
    return _number(key, value, 10, "give a number: names aren't known before the step runs")


def _number(key: str, value: str, base: int, help: str) -> int:
    number = read_number(value, _LARGEST_ID, base)
    if number is None:
        raise _Bad(f"invalid value {value} for {key}", help)
    return number


_OPTIONS = {
    "type": _Option("type", _type),
    "from": _Option("from_name", _text),
    "source": _Option("source", _text),
    "src": _Option("source", _text),
    "target": _Option("target", _text),
    "dst": _Option("target", _text),
    "destination": _Option("target", _text),
    "readonly": _Option("readonly", _boolean, alone=True),
    "ro": _Option("readonly", _boolean, alone=True),
    "readwrite": _Option("readonly", _negated, alone=False),
    "rw": _Option("readonly", _negated, alone=False),
    "id": _Option("id", _text),
    "sharing": _Option("sharing", _sharing),
    "required": _Option("required", _boolean, types=("secret", "ssh"), alone=True),
    "size": _Option("size", _size, types=("tmpfs",)),
    "mode": _Option("mode", _mode),
    "uid": _Option("uid", _user),
    "gid": _Option("gid", _user),
    "env": _Option("env", _text),
}


def _check(options: MountOptions) -> None:
    """Refuse options that don't go together, whatever their order."""
    kind = options.type
    if kind not in ("cache", "secret", "ssh"):
        for key in ("mode", "uid", "gid"):
            if getattr(options, key) is not None:
                raise _Bad(
                    f'{key} not allowed for "{kind}" type mounts', f"leave {key} out, or give another type"
                )
    if kind == "secret":
        _check_secret(options)
    if options.sharing and kind != "cache":
        raise _Bad(f"invalid cache sharing set for {kind} mount", "leave sharing out, or give type=cache")


def _check_secret(options: MountOptions) -> None:
    if options.from_name:
        raise _Bad("secret mount should not have a from", "secrets come from --secret of the command line")
    if options.sharing:
        raise _Bad("secret mount should not define sharing", "leave sharing out")
    if not (options.source or options.target or options.id):
        raise _Bad("invalid secret mount. one of source, target required", "name the secret with id=…")
    if options.source and options.id:
        raise _Bad("both source and id can't be set", "they mean the same: keep id")
