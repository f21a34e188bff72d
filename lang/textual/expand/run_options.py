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


def _cache(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    path = _mount_point(given, "path")
    seed = given.state("seed")
    return recipe.CacheMount(
        path=path,
        id=_word(given, "id", "an id", frame) if "id" in given else path,
        scope=given.text("scope", "project"),
        sharing=given.text("sharing", "shared"),
        seed=None if isinstance(seed, recipe.Scratch) else seed,
        uid=_number(given, "uid", "user id") if "uid" in given else None,
        gid=_number(given, "gid", "group id") if "gid" in given else None,
        mode=mode(given, 0o755),
        span=given.span,
    )


def _bind(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    state = given.state("state")
    if state is None:
        raise TypeError(f"{given.span.place}: no state to bind")
    path = globs.normal(given.text("path", "/"))
    if path is None:
        raise SourceError(states.leaves_root(given.place("path"), given.text("path")))
    path = "/" if path == "." else f"/{path}"
    return recipe.BindMount(state, _mount_point(given, "at"), path, given.flag("rw"), given.span)


def _secret(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    id = _word(given, "id", "the id of a secret", frame)
    env, at = given.text("env"), given.text("at")
    if env and at:
        raise SourceError(states.secret_twice(given.place("env"), given.place("at")))
    if env and not _VARIABLE.fullmatch(env):
        raise SourceError(values.unfit(given.place("env"), "secret", "a variable's name", env, _NAME))
    if not env and "at" not in given:
        at = posixpath.normpath(f"/run/secrets/{id}")
        if not at.startswith("/run/secrets/"):
            raise SourceError(states.bad_mount_path(given.place("id"), id, literal=False))
    return recipe.SecretMount(
        id=id,
        at="" if env else _mount_point(given, "at") if "at" in given else at,
        env=env,
        optional=given.flag("optional"),
        uid=_number(given, "uid", "user id"),
        gid=_number(given, "gid", "group id"),
        mode=mode(given, 0o400),
        rev=given.text("rev"),
        span=given.span,
    )


def _ssh(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    id = _word(given, "id", "the id of an agent", frame) if "id" in given else "default"
    at = _mount_point(given, "at") if "at" in given else ""
    return recipe.AgentMount(id, at, given.flag("optional"), given.span)


def _tmpfs(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.TmpfsMount(_mount_point(given, "path"), given.size("size"), given.span)


def _env(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunEnv(tuple((name, template_of(one.value)) for name, one in given.items()))


def _user(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunUser(_word(given, "name", "a user", frame))


def _workdir(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.RunWorkdir(given.text("path"))


def _network(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Network(given.text("mode"), given.span)


def _device(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Device(_word(given, "name", "a device", frame), given.flag("optional"), given.span)


def _insecure(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Insecure(given.span)


def _host(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    name = plain(given.text("name"), frame)
    ip = plain(given.text("ip"), frame)
    if not _HOST.fullmatch(name):
        raise SourceError(values.unfit(given.place("name"), "host", "a host name", name, _HOST_NAME))
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        reason = "an IPv4 or IPv6 address is needed"
        raise SourceError(values.unfit(given.place("ip"), "host", "an IP address", ip, reason)) from None
    return recipe.ExtraHost(name, str(address))


def _limits(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    for name in ("cpus", "pids"):
        if name in given and given.integer(name) < 1:
            span, number = given.place(name), given.integer(name)
            raise SourceError(values.unfit(span, "limits", "a limit", str(number), f"`{name}` is 1 or more"))
    if "memory" in given and not given.size("memory"):
        text = text_of(given["memory"].value)
        raise SourceError(
            values.unfit(given.place("memory"), "limits", "a limit", text, "nothing runs without memory")
        )
    return recipe.Limits(given.size("memory"), given.integer("cpus"), given.integer("pids"), given.span)


def _uncached(given: Arguments, frame: Frame, compilation: Compilation) -> Value:
    return recipe.Uncached()


def _mount_point(given: Arguments, name: str) -> str:
    """Return a mount point: an absolute path below the root, normalized. Raises E0514."""
    path = given.text(name)
    normal = globs.normal(path)
    if not path.startswith("/") or normal in (None, "."):
        raise SourceError(states.bad_mount_path(given.place(name), path, literal=given[name].literal))
    return f"/{normal}"


def _word(given: Arguments, name: str, what: str, frame: Frame) -> str:
    """Return a text that isn't empty and has no control characters."""
    text = plain(given.text(name), frame)
    if not text or any(char < " " or char == "\x7f" for char in text):
        reason = "empty" if not text else "control characters are not allowed"
        raise SourceError(values.unfit(given.place(name), f"{name}=", what, text, reason))
    return text


def _number(given: Arguments, name: str, what: str) -> int:
    number = given.integer(name)
    if not 0 <= number <= MOST_ID:
        raise SourceError(states.bad_number(given.place(name), what, str(number), f"0 to {MOST_ID}"))
    return number


def mode(given: Arguments, default: int) -> int:
    """Return permission bits. Raises E0515."""
    if "mode" not in given:
        return default
    value, span = given["mode"].value, given["mode"].span
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
