"""The options of a build from a program: the flags of `pybuild build` as Python values."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, get_type_hints

from pybuild.builder.descriptors import above_streams
from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.language.params import param_text
from pybuild.request import values as flags

Path = str | os.PathLike[str]
Secret = bytes | os.PathLike[str] | str
Texts = str | Sequence[str]


class BuildOptions(TypedDict, total=False):
    """Options of a build. What is left out is as if the flag of `pybuild build` were."""

    outputs: Path | Sequence[Path]
    """The outputs: texts of `--output` (`"type=oci,dest=app.tar"`), or paths of directories for the result's files.
    Without one an image is made in the store if there is a tag."""
    params: Mapping[str, object]
    """Values of the build file's params: text, numbers, booleans, lists and maps of these."""
    params_files: Path | Sequence[Path]
    """TOML files with values of params."""
    tags: Texts
    """Names for the image, besides those that the build file gives it."""
    platforms: Texts
    """Platforms to build for: `"linux/arm64"`."""
    build_args: Mapping[str, str | None]
    """Values of a Dockerfile's ARGs; None takes the variable of that name from the environment."""
    build_contexts: Mapping[str, Path]
    """Contexts of a Dockerfile by name: directories, `docker-image://REF`, `oci-layout://DIR`, `host:COMMANDS`, …"""
    labels: Mapping[str, str]
    """Labels of the image."""
    annotations: Mapping[str, str]
    """Annotations of the manifest; a key may begin with its place: `"index:KEY"`."""
    push: bool
    """Push the image to the registries of its tags."""
    load: bool
    """Load the image into Docker."""
    no_cache: bool
    """Run every step, whatever is known of it."""
    no_cache_filter: Texts
    """Stages of a Dockerfile whose steps are run, whatever is known of them."""
    pull: bool
    """Ask registries what tags mean, also where that is known."""
    locked: bool
    """Refuse what the lock file doesn't pin."""
    allow: Texts
    """Entitlements: `"network.host"`, `"security.insecure"`, `"read=PATH"`, …"""
    network: str
    """Network of the steps that don't say: `"default"`, `"none"`, `"host"`."""
    add_hosts: Mapping[str, str]
    """Addresses of host names, for steps."""
    ulimits: Mapping[str, int | tuple[int, int]]
    """Limits of steps by name, soft and hard; -1 is none."""
    shm_size: int | str
    """Size of /dev/shm of steps: bytes, or text such as `"64m"`."""
    cgroup_parent: str
    """Control group beneath which steps run."""
    secrets: Mapping[str, Secret]
    """Secrets by id: the bytes themselves, the path of a file, or text `"env:NAME"` or `"file:PATH"`."""
    ssh: Texts
    """SSH agents for steps: texts of `--ssh`."""
    parallelism: int
    """Steps that may run at once; the machine decides about it if it isn't given."""
    isolate_network: bool
    """Refuse steps that would share the host's network because no tool for a private one is installed."""
    registries: Mapping[str, Mapping[str, Any]]
    """How to reach registries, by host: `mirrors`, `http`, `insecure`, `ca`, `keypair`, as `config.toml` has them."""
    project: str
    """The name that the caches of the project's steps go by."""


def fields_of(options: Mapping[str, Any], targets: Texts | None) -> tuple[dict[str, Any], list[int]]:
    """Return the fields of a BuildRequest, and open descriptors of the secrets in them. Raises UsageError for bad
    values, TypeError for unknown options and values of another type."""
    for name in options:
        if name not in BuildOptions.__annotations__:
            near = suggest(name, BuildOptions.__annotations__)
            raise TypeError(f"a build has no option {name!r}" + (f": did you mean {near!r}?" if near else ""))
    fields = {name: _convert(name, value) for name, value in options.items() if name != "secrets"}
    if targets is not None:
        fields["targets"] = _texts(targets)
    descriptors: list[int] = []
    try:
        secrets = options.get("secrets", {})
        if not isinstance(secrets, Mapping):
            raise TypeError("the option 'secrets' of a build is a map by id")
        fields["secrets"] = tuple(_secret(id, secret, descriptors) for id, secret in secrets.items())
    except BaseException:
        for fd in descriptors:
            os.close(fd)
        raise
    return fields, descriptors


def _convert(name: str, value: Any) -> Any:
    """Return a BuildRequest's value for an option."""
    kind = get_type_hints(BuildOptions)[name]
    # Not isinstance, by which True is an int.
    if kind in (bool, int, str) and type(value) is not kind:
        raise _type_error(name, value)
    try:
        return _CONVERSIONS[name](value) if name in _CONVERSIONS else value
    except (AttributeError, TypeError, ValueError):
        raise _type_error(name, value) from None


def _type_error(name: str, value: object) -> TypeError:
    return TypeError(f"the option {name!r} of a build can't be {value!r}: see BuildOptions")


def _texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _paths(value: Path | Sequence[Path]) -> tuple[str, ...]:
    several = (value,) if isinstance(value, str | os.PathLike) else value
    return tuple(os.fspath(path) for path in several)


def _outputs(value: Path | Sequence[Path]) -> tuple[str, ...]:
    several = (value,) if isinstance(value, str | os.PathLike) else value
    return tuple(
        output if isinstance(output, str) else _fields("type=local", f"dest={output}") for output in several
    )


def _fields(*fields: str) -> str:
    """Return one line of CSV, as flags have it."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


def _pairs(value: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(value.items())


def _params(value: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    plain = {name: list(param) if isinstance(param, tuple) else param for name, param in value.items()}
    return tuple((name, param_text(name, param, "params")) for name, param in plain.items())


def _contexts(value: Mapping[str, Path]) -> tuple[tuple[str, str], ...]:
    return flags.build_contexts(f"{name}={os.fspath(path)}" for name, path in value.items())


def _annotations(value: Mapping[str, str]) -> tuple[str, ...]:
    return flags.annotation_texts(f"{key}={text}" for key, text in value.items())


def _hosts(value: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return flags.add_hosts(f"{name}={address}" for name, address in value.items())


def _ulimits(value: Mapping[str, int | tuple[int, int]]) -> tuple[tuple[str, int, int], ...]:
    pairs = {name: (limit, limit) if isinstance(limit, int) else limit for name, limit in value.items()}
    return flags.ulimits(f"{name}={soft}:{hard}" for name, (soft, hard) in pairs.items())


def _secret(id: str, value: Secret, descriptors: list[int]) -> str:
    """Return the flag for a secret. Bytes go into a file in memory, so that they
    appear in no command line and no environment; its descriptor is added to `descriptors`."""
    if isinstance(value, bytes):
        # The same number is open in the worker, so it must not be one of its standard streams.
        fd = above_streams(os.memfd_create("pybuild-secret"))
        descriptors.append(fd)
        with open(fd, "wb", closefd=False) as file:
            file.write(value)
        return _fields(f"id={id}", f"src=/proc/self/fd/{fd}")
    if isinstance(value, os.PathLike):
        return _fields(f"id={id}", f"src={os.fspath(value)}")
    if not isinstance(value, str):
        raise TypeError(
            f"secret {id} is bytes, a path, or text that says where it is, not {type(value).__name__}"
        )
    kind, _, place = value.partition(":")
    if kind not in ("env", "file") or not place:
        raise UsageError(
            f"secret {id}: text says where the secret is, not what it is",
            help='give "env:NAME", "file:PATH" or a Path; the secret itself is bytes',
        )
    if kind == "env" and place not in os.environ:
        raise UsageError(f"secret {id}: the variable {place} is not set", help="set it, or give the bytes")
    return _fields(f"id={id}", f"env={place}" if kind == "env" else f"src={place}")


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "outputs": _outputs,
    "params": _params,
    "params_files": _paths,
    "tags": _texts,
    "platforms": lambda value: flags.listed(_texts(value)),
    "build_args": _pairs,
    "build_contexts": _contexts,
    "labels": _pairs,
    "annotations": _annotations,
    "no_cache_filter": lambda value: flags.listed(_texts(value)),
    "allow": lambda value: flags.entitlements(_texts(value)),
    "network": flags.network,
    "add_hosts": _hosts,
    "ulimits": _ulimits,
    "shm_size": lambda value: flags.size(str(value)),
    "ssh": _texts,
    "registries": lambda value: {host: dict(one) for host, one in value.items()},
}
"""The conversion of each option's value to a BuildRequest's. The other options are taken as they are."""
