"""Access to git remotes: secrets as headers, logins in addresses, SSH agents and host keys."""

from __future__ import annotations

import os
import re
from shlex import quote

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.session.types import MissingAgent
from pybuild.runtime.sources.gitcommand import Git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.runtime.content.store import Store
    from pybuild.runtime.session.types import Agents, Secrets
    from pybuild.runtime.solver.types import Cancellation
    from pybuild.runtime.sources.gitrequest import GitRequest

HELPER = '!f() { printf \'username=%s\\npassword=%s\\n\' "$PYBUILD_GIT_USER" "$PYBUILD_GIT_PASSWORD"; }; f'
"""A credential helper that answers with the login in its environment, as command lines are visible to all users."""

_GITHUB = ("https://github.com/", "https://www.github.com/")


def git_for(
    request: GitRequest, store: Store, secrets: Secrets, agents: Agents, cancellation: Cancellation
) -> Git:
    """Return a git that has access to the request's remote with the client's secrets and agents. Raises UserError
    for a missing SSH agent and for a secret that can't be sent."""
    home = os.path.join(store.work, "git-home")
    os.makedirs(home, mode=0o700, exist_ok=True)
    settings: list[tuple[str, str]] = []
    variables: dict[str, str] = {}
    if request.ssh:
        return Git(home, cancellation, settings, _ssh(request, store.work, agents))
    authorization = _secret(request, secrets)
    login = _login(authorization)
    if not authorization and (request.user or request.password):
        login = request.user, request.password
    if login is not None:
        origin = re.sub(r"(://[^/]*).*", r"\1", request.remote)
        settings.append((f"credential.{origin}.helper", HELPER))
        variables["PYBUILD_GIT_USER"], variables["PYBUILD_GIT_PASSWORD"] = login
    elif authorization:
        settings.append((f"http.{_scope(request.remote)}.extraHeader", "Authorization: " + authorization))
        # git sends extra headers to any host that it is redirected to.
        settings.append(("http.followRedirects", "false"))
    return Git(home, cancellation, settings, variables)


def _secret(request: GitRequest, secrets: Secrets) -> str:
    """Return the Authorization header's value from the client's secrets, "" without one. A secret with the host in
    its name comes first; of one name, the header's secret comes before the token's."""
    from base64 import b64encode

    for end in ("." + request.host, ""):
        for name, token in ((request.header_secret, False), (request.token_secret, True)):
            value = secrets.get(name + end) if name else None
            if value is None:
                continue
            text = value.decode("utf-8", "replace").rstrip("\r\n")
            if re.search(r"[\x00-\x1f\x7f]", text):
                raise UserError(f"the secret {name + end} can't be sent: it has control characters in it")
            return "basic " + b64encode(f"x-access-token:{text}".encode()).decode("ascii") if token else text
    return ""


def _login(header: str) -> tuple[str, str] | None:
    """Return user and password of a Basic header, None for another kind. As a login, git sends them to their host
    only."""
    from base64 import b64decode

    kind, _, value = header.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:
        return None
    return (user, password) if colon and not re.search(r"[\x00-\x1f\x7f]", user + password) else None


def _scope(remote: str) -> str:
    """Return the URL prefix that gets a remote's header: the remote, or all of GitHub, for its submodules."""
    return next((host for host in _GITHUB if remote.startswith(host)), remote)


def _ssh(request: GitRequest, work: str, agents: Agents) -> dict[str, str]:
    words = ["ssh", "-F", os.devnull, "-o", "BatchMode=yes", "-o", "IdentityFile=none"]
    words += [
        "-o",
        "ConnectTimeout=20",
        "-o",
        "ServerAliveInterval=15",
        "-o",
        "GlobalKnownHostsFile=" + os.devnull,
    ]
    if request.known_hosts:
        path = os.path.join(work, os.urandom(8).hex() + ".hosts")
        with open(path, "w", encoding="utf-8") as file:
            file.write(request.known_hosts.rstrip("\n") + "\n")
        words += ["-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + path]
    else:
        words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + os.devnull]
    words += ["-o", "LogLevel=ERROR"]
    variables = {"GIT_SSH_COMMAND": " ".join(map(quote, words)), "GIT_SSH_VARIANT": "ssh"}
    if request.ssh_id:
        socket = agents.socket(request.ssh_id)
        if socket is None:
            raise MissingAgent(
                f"no SSH key {request.ssh_id!r} forwarded from the client",
                request.ssh_id,
                help=f"give it with --ssh {request.ssh_id}",
            )
        variables["SSH_AUTH_SOCK"] = socket
    return variables
