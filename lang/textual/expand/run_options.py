"""Run options (language spec, section 10), converted to those of the recipe."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Callable, Mapping

from pybuild.lang import recipe
from pybuild.lang.diagnostics import SourceError
from pybuild.lang.textual.expand import globs
from pybuild.lang.textual.expand.arguments import Arguments
from pybuild.lang.textual.expand.conversions import plain
from pybuild.lang.textual.expand.frame import Compilation, Frame
from pybuild.lang.textual.expand.values import Value, template_of, text_of
from pybuild.lang.textual.ownership import MOST_MODE
from pybuild.lang.textual.problems import states, values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

Option = Callable[[Arguments, Frame, Compilation], Value]

MOST_ID: Final = 2**32 - 2
_VARIABLE: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_HOST: Final = re.compile("[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def _cache(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    path = _mount_point(arguments, "path")
    seed = arguments.state("seed")
    return recipe.CacheMount(
        path=path,
        id=_word(arguments, "id", "an id", frame) if "id" in arguments else path,
        scope=arguments.text("scope", "project"),
        sharing=arguments.text("sharing", "shared"),
        seed=None if isinstance(seed, recipe.Scratch) else seed,
        uid=_number(arguments, "uid", "user id") if "uid" in arguments else None,
        gid=_number(arguments, "gid", "group id") if "gid" in arguments else None,
        mode=mode(arguments, 0o755),
        span=arguments.span,
    )


def _bind(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    state = arguments.state("state")
    if state is None:
        raise TypeError(f"{arguments.span.place}: no state to bind")
    path = globs.normal(arguments.text("path", "/"))
    if path is None:
        raise SourceError(states.leaves_root(arguments.place("path"), arguments.text("path")))
    path = "/" if path == "." else f"/{path}"
    return recipe.BindMount(state, _mount_point(arguments, "at"), path, arguments.flag("rw"), arguments.span)


def _secret(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    id = _word(arguments, "id", "the id of a secret", frame)
    env, at = arguments.text("env"), arguments.text("at")
    if env and at:
        raise SourceError(states.secret_twice(arguments.place("env"), arguments.place("at")))
    if env and not _VARIABLE.fullmatch(env):
        raise SourceError(values.unfit(arguments.place("env"), "secret", "a variable's name", env, _NAME))
    if not env and "at" not in arguments:
        at = posixpath.normpath(f"/run/secrets/{id}")
        if not at.startswith("/run/secrets/"):
            raise SourceError(states.bad_mount_path(arguments.place("id"), id, literal=False))
    return recipe.SecretMount(
        id=id,
        at="" if env else _mount_point(arguments, "at") if "at" in arguments else at,
        env=env,
        optional=arguments.flag("optional"),
        uid=_number(arguments, "uid", "user id"),
        gid=_number(arguments, "gid", "group id"),
        mode=mode(arguments, 0o400),
        rev=arguments.text("rev"),
        span=arguments.span,
    )


def _ssh(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    id = _word(arguments, "id", "the id of an agent", frame) if "id" in arguments else "default"
    at = _mount_point(arguments, "at") if "at" in arguments else ""
    return recipe.AgentMount(id, at, arguments.flag("optional"), arguments.span)


def _tmpfs(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.TmpfsMount(_mount_point(arguments, "path"), arguments.size("size"), arguments.span)


def _env(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunEnv(tuple((name, template_of(one.value)) for name, one in arguments.items()))


def _user(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunUser(_word(arguments, "name", "a user", frame))


def _workdir(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunWorkdir(arguments.text("path"))


def _network(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Network(arguments.text("mode"), arguments.span)


def _device(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Device(
        _word(arguments, "name", "a device", frame), arguments.flag("optional"), arguments.span
    )


def _insecure(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Insecure(arguments.span)


def _host(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    name = plain(arguments.text("name"), frame)
    ip = plain(arguments.text("ip"), frame)
    if not _HOST.fullmatch(name):
        raise SourceError(values.unfit(arguments.place("name"), "host", "a host name", name, _HOST_NAME))
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        reason = "an IPv4 or IPv6 address is needed"
        raise SourceError(values.unfit(arguments.place("ip"), "host", "an IP address", ip, reason)) from None
    return recipe.ExtraHost(name, str(address))


def _limits(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    for name in ("cpus", "pids"):
        if name in arguments and arguments.integer(name) < 1:
            span, number = arguments.place(name), arguments.integer(name)
            raise SourceError(values.unfit(span, "limits", "a limit", str(number), f"`{name}` is 1 or more"))
    if "memory" in arguments and not arguments.size("memory"):
        text = text_of(arguments["memory"].value)
        raise SourceError(
            values.unfit(arguments.place("memory"), "limits", "a limit", text, "nothing runs without memory")
        )
    return recipe.Limits(
        arguments.size("memory"), arguments.integer("cpus"), arguments.integer("pids"), arguments.span
    )


def _uncached(arguments: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Uncached()


def _mount_point(arguments: Arguments, name: str) -> str:
    """Return a mount point: an absolute path below the root, normalized. Raises E0514."""
    path = arguments.text(name)
    normal = globs.normal(path)
    if not path.startswith("/") or normal in (None, "."):
        raise SourceError(states.bad_mount_path(arguments.place(name), path, literal=arguments[name].literal))
    return f"/{normal}"


def _word(arguments: Arguments, name: str, what: str, frame: Frame) -> str:
    """Return a text that isn't empty and has no control characters."""
    text = plain(arguments.text(name), frame)
    if not text or any(char < " " or char == "\x7f" for char in text):
        reason = "empty" if not text else "control characters are not allowed"
        raise SourceError(values.unfit(arguments.place(name), f"{name}=", what, text, reason))
    return text


def _number(arguments: Arguments, name: str, what: str) -> int:
    number = arguments.integer(name)
    if not 0 <= number <= MOST_ID:
        raise SourceError(states.bad_number(arguments.place(name), what, str(number), f"0 to {MOST_ID}"))
    return number


def mode(arguments: Arguments, default: int) -> int:
    """Return permission bits. Raises E0515."""
    if "mode" not in arguments:
        return default
    value, span = arguments["mode"].value, arguments["mode"].span
    if not isinstance(value, int):
        raise SourceError(values.mode_as_text(span, text_of(value)))
    if not 0 <= value <= MOST_MODE:
        raise SourceError(states.bad_mode(span, oct(value), "", literal=False))
    return value


_NAME: Final = "letters, digits and `_`, no digit first"
_HOST_NAME: Final = "letters, digits, `.` and `-`"

OPTIONS: Final[Mapping[str, Option]] = {
    "cache": _cache,
    "bind": _bind,
    "secret": _secret,
    "ssh": _ssh,
    "tmpfs": _tmpfs,
    "env": _env,
    "user": _user,
    "workdir": _workdir,
    "network": _network,
    "device": _device,
    "insecure": _insecure,
    "host": _host,
    "limits": _limits,
    "uncached": _uncached,
}
