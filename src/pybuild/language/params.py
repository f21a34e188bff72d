"""Values for the params of a root file: `-p`, `--params FILE.toml`, `PYBUILD_PARAM_NAME`, in that order."""

from __future__ import annotations

import json
import os

from pybuild.lang.diagnostics import UsageError
from pybuild.lang.recipe import ParamSetting
from pybuild.lang.source import Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pybuild.request.request import BuildRequest

PREFIX = "PYBUILD_PARAM_"


def given_params(request: BuildRequest) -> dict[str, ParamSetting]:
    """Return the values of a request by the names of the params. Raises UsageError for a file that can't be
    used."""
    params = {
        name.removeprefix(PREFIX): ParamSetting(value, name)
        for name, value in sorted(os.environ.items())
        if name.startswith(PREFIX) and len(name) > len(PREFIX)
    }
    for path in request.params_files:
        params |= _of_file(path)
    for name, value in request.params:
        params[name.replace("-", "_")] = ParamSetting(value, f"-p {name}={value}")
    return params


def _of_file(path: str) -> dict[str, ParamSetting]:
    from pybuild.request.config.tomlfile import read_table, read_text

    text = read_text(path)
    if text is None:
        raise UsageError(f"there is no file {path}", help="--params takes a TOML file")
    table = read_table(Source(path, text))
    return {
        name.replace("-", "_"): ParamSetting(param_text(name, value, path), path)
        for name, value in table.items()
    }


def param_text(name: str, value: object, where: str) -> str:
    """Return a TOML value in the form of `-p`. Raises UsageError for a type that no param takes; `where` is
    its place."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, list | dict) and _plain(value):
        return json.dumps(value, ensure_ascii=False)
    raise UsageError(
        f"{where}: {name} is no string, number, boolean, list or table of these",
        help="write dates and numbers with a point as strings",
    )


def _plain(value: list[object] | Mapping[str, object]) -> bool:
    items = value if isinstance(value, list) else value.values()
    return all(isinstance(item, str | bool | int) for item in items)
