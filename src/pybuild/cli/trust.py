"""The command `pybuild trust`: show what a project requests, and remember that it may have it. Nothing is run."""

from __future__ import annotations

import os

from pybuild.lang.diagnostics import UsageError, UserError, visible
from pybuild.request import trust
from pybuild.request.config import defaults
from pybuild.request.grants import MODULE, module_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.request.config.defaults import Defaults
    from pybuild.request.grants import Requested


def trust_directory(context: str) -> str:
    """Remember what the files of a context request, and return the text about it. Raises UserError."""
    requests = _requests(context)
    lines = []
    for directory in dict.fromkeys((os.path.realpath(context), *requests)):
        _remember(directory, requests.get(directory, []))
    for directory, listed in requests.items():
        lines += _lines(directory, [one.text for one in listed])
    if not lines:
        return f"{context} requests nothing that has to be granted\n"
    return "".join(
        f"{line}\n" for line in (*lines, f"remembered; to forget it: pybuild trust --revoke {context}")
    )


def revoke(context: str) -> str:
    """Forget what is remembered of a context, and return the text about it. Raises UserError."""
    directories = [os.path.realpath(context)]
    if os.path.isdir(context):
        source = defaults.load(context, None).source
        directories += [_directory_of(source.name)] if source is not None else []
    forgotten = [directory for directory in dict.fromkeys(directories) if _forget(directory)]
    if not forgotten:
        raise UsageError(f"nothing is remembered of {context}", help="pybuild trust --list shows what is")
    return "".join(f"forgot {directory}\n" for directory in forgotten)


def list_trusted() -> str:
    """Return the text about all that is remembered."""
    lines = [line for directory, texts in trust.all_remembered() for line in _lines(directory, texts)]
    return "".join(f"{line}\n" for line in lines)


def _lines(directory: str, texts: list[str] | tuple[str, ...]) -> list[str]:
    # A line end in a path must not look like another request.
    return [visible(line).replace("\n", "\u240a") for line in (directory, *(f"  {text}" for text in texts))]


def _requests(context: str) -> Mapping[str, list[Requested]]:
    """Return the requests of the files of a context, by the real path of the directory that holds the file. Raises
    UserError."""
    if not os.path.isdir(context):
        raise UsageError(f"{context} is not a directory", help="name the directory that is to be built")
    files = defaults.load(context, None)
    requests: dict[str, list[Requested]] = {}
    wishes, _ = files.requests({})
    if wishes and files.source is not None:
        requests[_directory_of(files.source.name)] = wishes
    module = _module(context, files)
    if module is not None:
        requests.setdefault(_directory_of(module), []).append(module_request(module))
    return requests


def _module(context: str, files: Defaults) -> str | None:
    """Return the context's build file if it runs as Python. One that `pybuild.toml` names is a request of that."""
    from pybuild.frontends.build_context import find_inputs, frontend_of
    from pybuild.lang.frontends import PYTHON
    from pybuild.replay.dependencies import Dependencies

    if "file" in files.wishes:
        return None
    try:
        inputs = find_inputs(context, None, Dependencies())
    except UserError:
        return None  # no build file, or several: -f will name one
    arguments = dict(files.wishes.get("build_args", ()))
    kind = frontend_of(inputs, arguments.get("BUILDKIT_SYNTAX", "").strip()).kind
    return inputs.name if kind == PYTHON and inputs.name.endswith(MODULE) else None


def _directory_of(path: str) -> str:
    return os.path.realpath(os.path.dirname(os.path.abspath(path)))


def _remember(directory: str, requests: list[Requested]) -> None:
    try:
        trust.remember(directory, requests)
    except OSError as error:
        raise _unwritable(directory, error) from None


def _forget(directory: str) -> bool:
    try:
        return trust.forget(directory)
    except OSError as error:
        raise _unwritable(directory, error) from None


def _unwritable(directory: str, error: OSError) -> UserError:
    path = trust.memory_of(directory)
    return UserError(f"cannot write {path}: {error.strerror}", help="XDG_STATE_HOME may name another place")
