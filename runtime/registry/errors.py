"""Errors between a builder and a registry: one class a kind, one constructor a message.

    RegistryError
    ├── AccessDenied       401, 403: who was refused what, and how to log in
    ├── NotFound           404: a repository, manifest or blob
    ├── TooManyRequests    429 that outlasted its retries
    ├── ServerFailure      5xx, and answers that no registry gives (HTML pages, wrong status)
    ├── Unreachable        no connection: name, port, TLS, proxy
    │   └── TimedOut       silence
    ├── BadContent         what came is not what was asked for: truncated, too long, unknown kind
    └── BadRegistryConfig  the user's registry, credential or proxy configuration can't be used

A wrong digest is `runtime.content.blobs.DigestMismatch`. No message holds a credential, a query string or the
user part of a URL: signed download addresses and tokens travel in those.
"""

from __future__ import annotations

from pybuild.lang.diagnostics import Diagnostic, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


IN_CONFIG = "under [registries] in config.toml"


class RegistryError(UserError):
    """An error of a registry. `status` is the HTTP status behind it, 0 without one; `transient` means that
    the same request may succeed when repeated."""

    transient = False

    def __init__(
        self, title: str, *, notes: Iterable[tuple[str, str]] = (), help: str | None = None, status: int = 0
    ) -> None:
        super().__init__(Diagnostic(title, notes=[note for note in notes if note[1]]), help=help)
        self.status = status


class AccessDenied(RegistryError):
    pass


class NotFound(RegistryError):
    pass


class TooManyRequests(RegistryError):
    """The registry limits requests. `seconds` is how long it wants to be left alone, None if it doesn't say."""

    seconds: float | None = None


class ServerFailure(RegistryError):
    pass


class Unreachable(RegistryError):
    """The registry can't be reached. `reason` is the title without the host's name."""

    reason = ""


class TimedOut(Unreachable):
    """The other side was silent for too long."""


class BadContent(RegistryError):
    pass


class BadRegistryConfig(RegistryError):
    exit_code = 2


def shown_url(url: str) -> str:
    """Return `url` fit for a message: without user, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    rest = rest.partition("#")[0].partition("?")[0]
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def login_host(host: str) -> str:
    """Return the argument of `docker login` for a registry: "" for Docker Hub."""
    return "" if host in ("docker.io", "registry-1.docker.io") else f" {host}"


def unauthorized(
    host: str, repository: str, action: str, *, user: str | None, detail: str = "", problem: str = ""
) -> AccessDenied:
    """Return the error for a 401 after every login was tried. `user` is the account whose credentials were
    used, None without; `problem` says why configured credentials could not be read."""
    if user is None:
        title = f"{host} wants a login to {action} {repository}"
        help = f"log in with `docker login{login_host(host)}`"
        if action == "pull":
            help += f"; registries also answer so when {repository} does not exist: check the name"
    else:
        title = (
            f"{host} refused the credentials of {user or 'the configured account'} to {action} {repository}"
        )
        help = f"log in again with `docker login{login_host(host)}`, with an account that may {action} it"
    return AccessDenied(title, notes=[("registry", detail), ("note", problem)], help=help, status=401)


def clear_text_login(host: str, realm: str) -> AccessDenied:
    return AccessDenied(
        f"{host} asks for the login to be sent unencrypted to {shown_url(realm)}",
        help=f"nothing was sent; set `insecure = true` for {host} {IN_CONFIG} to allow it",
    )


def forbidden(host: str, repository: str, action: str, *, user: str | None, detail: str = "") -> AccessDenied:
    """Return the error for a 403: the registry knows the user and refuses."""
    who = "anonymous access" if user is None else user or "the configured account"
    return AccessDenied(
        f"{host} does not allow {who} to {action} {repository}",
        notes=[("registry", detail)],
        help=f"ask for permission to {action} it, or `docker login{login_host(host)}` with another account",
        status=403,
    )


def manifest_missing(host: str, repository: str, reference: str, *, detail: str = "") -> NotFound:
    separator = "@" if ":" in reference else ":"
    return NotFound(
        f"{repository}{separator}{reference} was not found on {host}",
        notes=[("registry", detail)],
        help="check the name and the tag or digest",
        status=404,
    )


def repository_missing(host: str, repository: str, *, detail: str = "") -> NotFound:
    return NotFound(
        f"the repository {repository} was not found on {host}",
        notes=[("registry", detail)],
        help=f"check the name; a private repository may need `docker login{login_host(host)}`",
        status=404,
    )


def blob_missing(host: str, repository: str, digest: str) -> NotFound:
    return NotFound(
        f"the blob {digest} is missing from {repository} on {host}",
        help="the image on the registry is incomplete: push it again",
        status=404,
    )


def too_many_requests(
    host: str, seconds: float | None, *, anonymous: bool, detail: str = ""
) -> TooManyRequests:
    wait = f"try again in {seconds:.0f} s" if seconds else "try again later"
    error = TooManyRequests(
        f"{host} limits how often it may be asked, and the limit is reached",
        notes=[("registry", detail)],
        help=wait
        + (f", or log in with `docker login{login_host(host)}` for a higher limit" if anonymous else ""),
        status=429,
    )
    error.seconds = seconds
    return error


def server_failure(host: str, url: str, status: int, *, detail: str = "") -> ServerFailure:
    return ServerFailure(
        f"{host} failed with status {status}",
        notes=[("request", shown_url(url)), ("registry", detail)],
        help="the registry or a proxy before it has a problem; try again later",
        status=status,
    )


def unexpected_status(host: str, url: str, status: int, *, detail: str = "") -> ServerFailure:
    return ServerFailure(
        f"{host} answered with an unexpected status {status}",
        notes=[("request", shown_url(url)), ("registry", detail)],
        help=f"check that {host} is a registry of the v2 protocol and that no proxy answers in its place",
        status=status,
    )


def not_a_registry(host: str, url: str, content_type: str) -> ServerFailure:
    """Return the error for a web page in place of a registry's answer."""
    return ServerFailure(
        f"{host} answered with {content_type or 'content of no type'} instead of a registry's answer",
        notes=[("request", shown_url(url))],
        help="check the name; a web site, a login page or a proxy may answer in place of the registry",
    )


def bad_answer(host: str, what: str, *, url: str = "") -> BadContent:
    """Return the error for an answer that can't be parsed; `what` says what came in its place."""
    return BadContent(
        f"{host} answered with {what}",
        notes=[("request", shown_url(url))] if url else [],
        help="the server is damaged or misconfigured, or a proxy answers in its place",
    )


def bad_token(host: str, realm: str, what: str) -> BadContent:
    return BadContent(
        f"the token server of {host} answered with {what}",
        notes=[("request", shown_url(realm))],
        help="check the name of the registry; a proxy or a login page may answer in place of its token server",
    )


def bad_address(what: str) -> BadContent:
    return BadContent(f"nothing can be requested from {what}", help="check the address")


def too_many_redirects(host: str, url: str) -> ServerFailure:
    return ServerFailure(
        f"{host} redirects without end",
        notes=[("request", shown_url(url))],
        help="the registry or a proxy before it is misconfigured",
    )


def bad_redirect(host: str, location: str) -> ServerFailure:
    return ServerFailure(
        f"{host} redirects from HTTPS to {shown_url(location) or 'nowhere'}",
        help=f"set `insecure = true` for {host} {IN_CONFIG} if that is meant to be",
    )


def unreachable(
    host: str, reason: str, *, help: str | None = None, kind: type[Unreachable] = Unreachable
) -> Unreachable:
    error = kind(
        f"cannot connect to {host}: {reason}",
        help=help or "check the name, the network and the proxy settings (HTTPS_PROXY, NO_PROXY)",
    )
    error.reason = reason
    return error


def unknown_host(host: str) -> Unreachable:
    return unreachable(host, "the name does not resolve", help="check the name and the network (DNS)")


def refused(host: str) -> Unreachable:
    return unreachable(host, "connection refused", help="check the port, and that the registry is running")


def silent(host: str, seconds: float) -> Unreachable:
    return unreachable(host, f"no answer within {seconds:.0f} s", kind=TimedOut)


def too_slow(host: str, rate: float, seconds: float) -> Unreachable:
    return unreachable(
        host,
        f"the transfer is too slow ({rate:.0f} bytes a second over {seconds:.0f} s)",
        help="check the network, or try again later; what arrived is kept",
        kind=TimedOut,
    )


def tls_failure(host: str, reason: str, *, plain: bool) -> Unreachable:
    """Return the error for a failed TLS connection; `plain` means that the other side does not speak TLS at
    all."""
    if plain:
        return unreachable(
            host,
            "it does not speak TLS",
            help=f"if it is a plain HTTP registry, set `http = true` for {host} {IN_CONFIG}",
        )
    return unreachable(
        host,
        f"its certificate was not accepted ({reason})",
        help=f"put its CA certificate into /etc/docker/certs.d/{host}/ca.crt or name it in SSL_CERT_FILE, "
        f"or set `insecure = true` for {host} {IN_CONFIG}",
    )


def connection_lost(host: str, reason: str) -> Unreachable:
    return unreachable(host, f"the connection broke ({reason})", help="try again; what arrived is kept")


def truncated(host: str, what: str, wanted: int, found: int) -> BadContent:
    return BadContent(
        f"{what} from {host} ended after {found} of {wanted} bytes",
        help="the connection or a proxy cut it off; run the build again, it continues where this ended",
    )


def too_long(host: str, what: str, limit: int) -> BadContent:
    return BadContent(
        f"{what} from {host} is longer than {limit} bytes",
        help="the registry sends something else than the image describes; nothing was kept",
    )


def no_size(host: str, what: str) -> BadContent:
    return BadContent(
        f"{host} does not say how large {what} is", help="the registry is not one of OCI's distribution 1.1"
    )


def wrong_size(host: str, what: str, wanted: int, found: int) -> BadContent:
    return BadContent(
        f"{what} on {host} has {found} bytes, but the image describes {wanted}",
        help="the registry's copy is damaged: push the image again",
    )


def unsupported_manifest(what: str, media_type: str) -> BadContent:
    if "manifest.v1" in media_type and "docker" in media_type:
        return BadContent(
            f"{what} is an image of Docker's obsolete schema 1",
            notes=[("media type", media_type)],
            help="push the image again with a current tool, or name another image",
        )
    return BadContent(
        f"{what} is not an image: its manifest has the type {media_type or '(none)'}",
        help="an OCI or Docker (schema 2) image manifest or index is needed",
    )


def bad_manifest(what: str, problem: str) -> BadContent:
    return BadContent(f"the manifest of {what} is damaged: {problem}", help="push the image again")


def not_an_image(what: str, media_type: str) -> BadContent:
    return BadContent(
        f"{what} is an artifact, not an image",
        notes=[("config type", media_type)],
        help="only images with a root file system can be built on; check the name",
    )


def unsupported_layer(what: str, digest: str, media_type: str) -> BadContent:
    if media_type.endswith("+encrypted"):
        title, help = f"{what} has an encrypted layer", "encrypted images are not supported: decrypt it first"
    else:
        title = f"{what} has a layer of an unsupported type"
        help = "layers are tar archives: uncompressed, gzip or zstd"
    return BadContent(title, notes=[("layer", digest), ("media type", media_type or "(none)")], help=help)


def foreign_layer(what: str, digest: str, urls: Iterable[str], reason: str) -> BadContent:
    listed = "\n".join(shown_url(url) for url in urls) or "(none)"
    return BadContent(
        f"{what} has a layer that registries may not distribute, and it could not be had elsewhere: {reason}",
        notes=[("layer", digest), ("addresses", listed)],
        help="such layers come from the addresses in the image; if they are gone, use another image",
    )


def upload_refused(host: str, repository: str, digest: str, detail: str) -> ServerFailure:
    return ServerFailure(
        f"{host} did not take {digest} into {repository}",
        notes=[("registry", detail)],
        help="try again; if it persists the registry's limits or storage are the cause",
    )


def manifest_refused(host: str, repository: str, reference: str, detail: str, status: int) -> ServerFailure:
    return ServerFailure(
        f"{host} did not take the manifest {repository}:{reference}",
        notes=[("registry", detail)],
        help="the registry may not support the image's format, or forbid changing an existing tag",
        status=status,
    )


def read_only(host: str, repository: str) -> ServerFailure:
    return ServerFailure(
        f"{host} does not accept pushes to {repository}",
        help="the registry is read-only or a pull-through cache: push to another one",
        status=405,
    )


def bad_config_file(path: str, problem: str) -> BadRegistryConfig:
    return BadRegistryConfig(
        f"cannot read credentials from {path}: {problem}", help="repair or remove the file"
    )


def bad_proxy(variable: str, problem: str) -> BadRegistryConfig:
    return BadRegistryConfig(
        f"the proxy in {variable} can't be used: {problem}", help="use http://HOST:PORT or https://HOST:PORT"
    )


def bad_certificate(path: str, problem: str) -> BadRegistryConfig:
    return BadRegistryConfig(
        f"cannot load the certificate {path}: {problem}", help="a PEM file is needed; repair or remove it"
    )
