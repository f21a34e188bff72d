"""Proxies and script files of commands, for all frontends."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler.mounts import FileMount, bind
from pybuild.compiler.ops import ProxyEnv
from pybuild.compiler.options import Options
from pybuild.compiler.state import State, mkfile

PIPES = "/dev/pipes/"
"""The directory at which a command sees a script that is a file of its own."""

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def script_mount(name: str, text: str) -> FileMount:
    """Return a mount that shows a script as the file `name` in `PIPES`."""
    options = Options(name="[internal] preparing inline document")
    document = State.scratch().file(mkfile(name, text.encode(), mode=0o755), options=options)
    return bind(PIPES, document, selector="/", readonly=True)


def proxy_variables(values: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of `values` whose names are those of proxy variables, in either case."""
    return {name: value for name, value in values.items() if name.lower() in PROXIES}


def proxy_env(values: Mapping[str, str]) -> ProxyEnv | None:
    """Return the proxies among `values`; None without any. Commands get them without any trace in the image."""
    # Names in capitals sort first, so that `http_proxy` wins over `HTTP_PROXY`.
    proxies = {name.lower(): value for name, value in sorted(proxy_variables(values).items())}
    return ProxyEnv(**proxies) if proxies else None
