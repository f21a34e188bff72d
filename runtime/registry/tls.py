"""TLS settings of a registry: the system's certificates, SSL_CERT_FILE, `certs.d` and the configuration."""

from __future__ import annotations

import os

from pybuild.runtime.registry import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Sequence

    from pybuild.runtime.registry.hosts import RegistryConfig

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Certificate files of Linux distributions, for interpreters that were built elsewhere."""


def certificate_directories() -> list[str]:
    """Return the directories with a directory for each registry, `HOST[:PORT]/`, which dockerd and podman
    read too."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    user = [os.path.join(config, "docker", "certs.d"), os.path.join(config, "containers", "certs.d")]
    return [*user, "/etc/docker/certs.d", "/etc/containers/certs.d"]


def tls_context(
    host: str, config: RegistryConfig, *, verify: bool, directories: Sequence[str]
) -> ssl.SSLContext:
    """Return the context for connections to `HOST[:PORT]`. Raises BadRegistryConfig for files that can't be
    used.

    In a registry's directory `*.crt` are certificate authorities, `NAME.cert` and `NAME.key` a client's pair.
    """
    import ssl

    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    named = os.environ.get("SSL_CERT_FILE")
    if named:
        _load(context, named)
    elif not _system_certificates(ssl.get_default_verify_paths()):
        for bundle in BUNDLES:
            if os.path.exists(bundle):
                _load(context, bundle)
                break
    for path in config.ca:
        _load(context, path)
    for key, certificate in config.keypair:
        _load_pair(context, certificate, key)
    for name in _files(host, directories):
        if name.endswith(".crt"):
            _load(context, name)
        elif name.endswith(".cert"):
            _load_pair(context, name, name.removesuffix(".cert") + ".key")
    return context


def _system_certificates(paths: ssl.DefaultVerifyPaths) -> bool:
    return bool(paths.cafile or paths.capath)


def _files(host: str, directories: Sequence[str]) -> Iterator[str]:
    for directory in directories:
        place = os.path.join(directory, host)
        try:
            names = sorted(os.listdir(place))
        except OSError:
            continue
        yield from (os.path.join(place, name) for name in names)


def _load(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        raise errors.bad_certificate(path, error.strerror or "it is not a PEM file") from None


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        reason = error.strerror or "certificate and key do not match"
        raise errors.bad_certificate(certificate, reason) from None
