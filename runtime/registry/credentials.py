"""Credentials stored by `docker login` and `podman login`: files and credential helpers.

Sources in order (docs.docker.com/reference/cli/docker/login, containers-auth.json(5)): `DOCKER_AUTH_CONFIG`
(JSON text), `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, `REGISTRY_AUTH_FILE`,
`$XDG_RUNTIME_DIR/containers/auth.json`, `$XDG_CONFIG_HOME/containers/auth.json`. The first that knows the
registry wins. Nothing is read before a registry asks for a login.
"""

from __future__ import annotations

import os

from pybuild.runtime.registry import errors
from pybuild.runtime.registry.hosts import DOCKER_HUB, DOCKER_HUB_HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""The name of Docker Hub in Docker's files and helpers."""
HELPER_SECONDS = 60


class Credential:
    """A login. Either `user` and `secret`, or a `refresh` token to be changed for access tokens, or a
    `bearer` token ready for use. Its repr shows none of them."""

    __slots__ = ("bearer", "refresh", "secret", "user")

    def __init__(self, user: str = "", secret: str = "", *, refresh: str = "", bearer: str = "") -> None:
        self.user = user
        self.secret = secret
        self.refresh = refresh
        self.bearer = bearer

    def basic(self) -> str:
        """The value of an Authorization header."""
        from base64 import b64encode

        return "Basic " + b64encode(f"{self.user}:{self.secret}".encode()).decode("ascii")

    def __repr__(self) -> str:
        return f"Credential({self.user!r}, …)"


class Lookup:
    """The result of a lookup for a registry: a credential or None, and why a configured one could not be
    read."""

    __slots__ = ("credential", "problem")

    def __init__(self, credential: Credential | None, problem: str = "") -> None:
        self.credential = credential
        self.problem = problem


class Credentials:
    """The user's logins. Thread-safe; each registry is looked up once."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        from threading import Lock

        self._environ = os.environ if environ is None else environ
        self._files: list[tuple[str, dict[str, object]]] | None = None
        self._known: dict[tuple[str, str], Lookup] = {}
        self._lock = Lock()

    def find(self, domain: str, repository: str = "") -> Lookup:
        """Return the login for `repository` of a registry. Raises BadRegistryConfig for a damaged file."""
        with self._lock:
            key = (domain, repository)
            if key not in self._known:
                self._known[key] = self._find(domain, repository)
            return self._known[key]

    def token(self, domain: str, realm: str, service: str, scopes: Sequence[str]) -> tuple[str, float] | None:
        """Return a token of the server `realm` and its life in seconds, for subclasses that fetch tokens
        elsewhere; None where the login of `find` is to be sent to the server. Raises UserError."""
        return None

    def _find(self, domain: str, repository: str) -> Lookup:
        if self._files is None:
            self._files = list(_read_files(self._environ))
        names = _names(domain, repository)
        problem = ""
        for _, config in self._files:
            helpers = config.get("credHelpers")
            for name, helper in _lookup(helpers, names):
                if isinstance(helper, str) and helper:
                    lookup = _ask(helper, [name], self._environ)
                    if lookup.credential is not None:
                        return lookup
                    problem = problem or lookup.problem
            store = config.get("credsStore")
            if isinstance(store, str) and store:
                lookup = _ask(store, _server_names(domain), self._environ)
                if lookup.credential is not None:
                    return lookup
                problem = problem or lookup.problem
            for _, entry in _lookup(config.get("auths"), names):
                credential = _decode(entry)
                if credential is not None:
                    return Lookup(credential)
        return Lookup(None, problem)


def _read_files(environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, object]]]:
    inline = environ.get("DOCKER_AUTH_CONFIG")
    if inline:
        yield "DOCKER_AUTH_CONFIG", _parse("DOCKER_AUTH_CONFIG", inline)
    for path in _paths(environ):
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise errors.bad_config_file(path, error.strerror or str(error)) from None
        except UnicodeDecodeError:
            raise errors.bad_config_file(path, "it is not UTF-8") from None
        if text.strip():
            yield path, _parse(path, text)


def _paths(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("HOME") or os.path.expanduser("~")
    yield os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    if environ.get("REGISTRY_AUTH_FILE"):
        yield environ["REGISTRY_AUTH_FILE"]
    if environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    yield os.path.join(config, "containers", "auth.json")


def _parse(path: str, text: str) -> dict[str, object]:
    import json

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # The decoder's message is left out: it may quote the text.
        raise errors.bad_config_file(path, "it is not JSON") from None
    if not isinstance(value, dict):
        raise errors.bad_config_file(path, "it is not a JSON object")
    return value


def _names(domain: str, repository: str) -> list[str]:
    """Return the keys that may hold the login, the most specific first: podman's files know `HOST/ORG/NAME`
    too."""
    hub = domain in (DOCKER_HUB, DOCKER_HUB_HOST, "index.docker.io")
    hosts = [DOCKER_HUB, "index.docker.io", DOCKER_HUB_HOST] if hub else [domain]
    out: list[str] = []
    parts = repository.split("/") if repository else []
    for length in range(len(parts), 0, -1):
        out.extend(f"{host}/{'/'.join(parts[:length])}" for host in hosts)
    if hub:
        out.append(DOCKER_HUB_KEY)
    return [*out, *hosts]


def _server_names(domain: str) -> list[str]:
    if domain in (DOCKER_HUB, DOCKER_HUB_HOST, "index.docker.io"):
        return [DOCKER_HUB_KEY]
    return [domain, f"https://{domain}"]


def _lookup(table: object, names: list[str]) -> Iterator[tuple[str, object]]:
    """Yield the entries of a table whose key is one of `names`, in the order of `names`; old files have URLs
    as keys."""
    if not isinstance(table, dict):
        return
    plain = {_plain(key): (key, value) for key, value in table.items() if isinstance(key, str)}
    for name in names:
        if name in table:
            yield name, table[name]
        elif name in plain:
            yield plain[name]


def _plain(key: str) -> str:
    """Return the host of an old key: `https://HOST/v1/` → `HOST`."""
    if "://" not in key:
        return key.rstrip("/")
    rest = key.partition("://")[2].rstrip("/")
    return rest.removesuffix("/v1").removesuffix("/v2")


def _decode(entry: object) -> Credential | None:
    """Decode an entry of `auths`: `auth` is base64 of `USER:SECRET`. Returns None for an empty entry, which
    only marks a login in a helper."""
    if not isinstance(entry, dict):
        return None

    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    user, secret = text("username"), text("password")
    if text("auth"):
        from base64 import b64decode
        from binascii import Error

        try:
            user, _, secret = b64decode(text("auth")).decode("utf-8").partition(":")
        except (Error, UnicodeDecodeError):
            return None
        secret = secret.rstrip("\0")
    if text("registrytoken"):
        return Credential(user, bearer=text("registrytoken"))
    if text("identitytoken"):
        return Credential(user, refresh=text("identitytoken"))
    return Credential(user, secret) if user or secret else None


def _ask(helper: str, servers: list[str], environ: Mapping[str, str]) -> Lookup:
    """Run `docker-credential-HELPER get` for each server name until one is known."""
    program = f"docker-credential-{helper}"
    if "/" in helper or helper.startswith("."):
        return Lookup(None, f"the credential helper {program!r} has a bad name")
    problem = ""
    for server in servers:
        found = _run(program, server, environ)
        if found.credential is not None:
            return found
        problem = problem or found.problem
    return Lookup(None, problem)


def _run(program: str, server: str, environ: Mapping[str, str]) -> Lookup:
    import json
    import subprocess

    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=HELPER_SECONDS,
            check=False,
            env=dict(environ),
        )
    except FileNotFoundError:
        return Lookup(None, f"the credential helper {program} is configured but not installed")
    except subprocess.TimeoutExpired:
        return Lookup(None, f"the credential helper {program} did not answer within {HELPER_SECONDS} s")
    except OSError as error:
        return Lookup(None, f"the credential helper {program} could not be run: {error.strerror}")
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        missing = "credentials not found" in output.lower()
        return Lookup(
            None, "" if missing else f"the credential helper {program} failed (exit {done.returncode})"
        )
    try:
        answer = json.loads(output)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return Lookup(None, f"the credential helper {program} gave no usable answer")
    return Lookup(Credential(refresh=secret) if user == "<token>" else Credential(user, secret))
