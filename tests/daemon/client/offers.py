"""Offers of what is no file: secrets, agents, credentials, exporters, policies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import grpc
from attrs import define, field
from tests.daemon.client.serving import Behaviour, Context, Offer, metadata
from tests.daemon.client.sockets import CHUNK, dial_unix, hang_up

from pybuild.compiler.protos import (
    exporter_pb2,
    filesync_pb2,
    policysession_pb2,
    secrets_pb2,
    ssh_pb2,
)


@define
class Secrets:
    """Secrets by id; `asked` are the ids that the daemon wanted."""

    values: Mapping[str, bytes]
    asked: list[str] = field(factory=list)

    def offer(self) -> Offer:
        return Offer(secrets_pb2.DESCRIPTOR.services_by_name["Secrets"], {"GetSecret": self._get})

    def _get(self, request: secrets_pb2.GetSecretRequest, context: Context) -> secrets_pb2.GetSecretResponse:
        self.asked.append(request.ID)
        if request.ID not in self.values:
            context.abort(grpc.StatusCode.NOT_FOUND, f"secret {request.ID}: not found")
        return secrets_pb2.GetSecretResponse(data=self.values[request.ID])


@define
class Agents:
    """Agents' sockets by id; "" is taken as `default`."""

    sockets: Mapping[str, Path]
    checked: list[str] = field(factory=list)

    def offer(self) -> Offer:
        service = ssh_pb2.DESCRIPTOR.services_by_name["SSH"]
        return Offer(service, {"CheckAgent": self._check, "ForwardAgent": self._forward})

    def _check(self, request: ssh_pb2.CheckAgentRequest, context: Context) -> ssh_pb2.CheckAgentResponse:
        self.checked.append(request.ID)
        if (request.ID or "default") not in self.sockets:
            context.abort(grpc.StatusCode.UNKNOWN, f"unset ssh forward key {request.ID or 'default'}")
        return ssh_pb2.CheckAgentResponse()

    def _forward(
        self, messages: Iterator[ssh_pb2.BytesMessage], context: Context
    ) -> Iterator[ssh_pb2.BytesMessage]:
        id = metadata(context).get("buildkit.ssh.id", [""])[0] or "default"
        connection = dial_unix(str(self.sockets[id]))

        def fill() -> None:
            with suppress(OSError, grpc.RpcError):
                for message in messages:
                    connection.sendall(message.data)
            hang_up(connection)

        threading.Thread(target=fill, daemon=True).start()
        with suppress(OSError):
            while data := connection.recv(CHUNK):
                yield ssh_pb2.BytesMessage(data=data)
        hang_up(connection)


@define
class Auth:
    """Credentials by host: user and password. `tokens`, if given, answers FetchToken."""

    credentials: Mapping[str, tuple[str, str]] = field(factory=dict)
    tokens: Callable[[filesync_pb2.FetchTokenRequest], str] | None = None
    asked: list[str] = field(factory=list)

    def offer(self) -> Offer:
        behaviours: dict[str, Behaviour] = {"Credentials": self._credentials}
        if self.tokens is not None:
            behaviours |= {"FetchToken": self._fetch, "GetTokenAuthority": self._authority}
        return Offer(filesync_pb2.DESCRIPTOR.services_by_name["Auth"], behaviours)

    def _credentials(
        self, request: filesync_pb2.CredentialsRequest, context: Context
    ) -> filesync_pb2.CredentialsResponse:
        self.asked.append(request.Host)
        user, password = self.credentials.get(request.Host, ("", ""))
        return filesync_pb2.CredentialsResponse(Username=user, Secret=password)

    def _fetch(
        self, request: filesync_pb2.FetchTokenRequest, context: Context
    ) -> filesync_pb2.FetchTokenResponse:
        assert self.tokens is not None
        return filesync_pb2.FetchTokenResponse(Token=self.tokens(request), ExpiresIn=300)

    def _authority(self, request: filesync_pb2.GetTokenAuthorityRequest, context: Context) -> None:
        context.abort(grpc.StatusCode.UNAVAILABLE, "client side tokens not enabled")


@define
class Exporters:
    """Exporters the client offers, and what it was told of the result."""

    exporters: list[exporter_pb2.ExporterRequest]
    found: list[exporter_pb2.FindExportersRequest] = field(factory=list)
    responses: list[dict[str, str]] = field(factory=list)

    def offer(self) -> Offer:
        service = exporter_pb2.DESCRIPTOR.services_by_name["Exporter"]
        return Offer(service, {"FindExporters": self._find, "FinalizeExport": self._finalize})

    def _find(
        self, request: exporter_pb2.FindExportersRequest, context: Context
    ) -> exporter_pb2.FindExportersResponse:
        self.found.append(request)
        return exporter_pb2.FindExportersResponse(exporters=self.exporters)

    def _finalize(
        self, request: exporter_pb2.FinalizeExportRequest, context: Context
    ) -> exporter_pb2.FinalizeExportResponse:
        self.responses.append(dict(request.exporter_response))
        return exporter_pb2.FinalizeExportResponse()


@define
class Policy:
    """Decides about each source; `asked` are the daemon's questions."""

    decide: Callable[[policysession_pb2.CheckPolicyRequest], policysession_pb2.CheckPolicyResponse]
    asked: list[policysession_pb2.CheckPolicyRequest] = field(factory=list)

    def offer(self) -> Offer:
        service = policysession_pb2.DESCRIPTOR.services_by_name["PolicyVerifier"]
        return Offer(service, {"CheckPolicy": self._check})

    def _check(
        self, request: policysession_pb2.CheckPolicyRequest, context: Context
    ) -> policysession_pb2.CheckPolicyResponse:
        self.asked.append(request)
        return self.decide(request)
