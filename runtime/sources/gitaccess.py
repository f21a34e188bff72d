"""How a build gets into a repository: secrets as headers, logins of addresses, SSH agents and host keys."""

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
"""A credential helper that answers with what stands in its environment."""

_GITHUB = ("https://github.com/", "https://www.github.com/")


def git_for(
    request: GitRequest, store: Store, secrets: Secrets, agents: Agents, cancellation: Cancellation
) -> Git:
    """git, let into the request's remote by what the client gives. Raises UserError: an SSH agent that is not
    there, a secret that can't be sent."""
    home = os.path.join(store.work, "git-home")
    os.makedirs(home, mode=0o700, exist_ok=True)
    settings: list[tuple[str, str]] = []
    variables: dict[str, str] = {}
    if request.ssh:
        return Git(home, cancellation, settings, _ssh(request, store.work, agents))
    given = _secret(request, secrets)
    login = _login(given)
    if not given and (request.user or request.password):
        login = request.user, request.password
    if login is not None:
        origin = re.sub(r"(://[^/]*).*", r"\1", request.remote)
        settings.append((f"credential.{origin}.helper", HELPER))
        variables["PYBUILD_GIT_USER"], variables["PYBUILD_GIT_PASSWORD"] = login
    elif given:
        settings.append((f"http.{_scope(request.remote)}.extraHeader", "Authorization: " + given))
        settings.append(("http.followRedirects", "false"))  # git would send it to whoever it is redirected to
    return Git(home, cancellation, settings, variables)


def _secret(request: GitRequest, secrets: Secrets) -> str:
    """The value of the Authorization header that a secret makes, "" without one. A secret named for the host comes
    first; each is asked for as a header, then as a token."""
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
    """User and password of a Basic header, which git sends to the host that they are for and to no other. None
    for a header of another kind."""
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
    """The addresses that get a remote's header: itself, and for GitHub all of it."""
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
