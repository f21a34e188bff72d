"""A registry in memory that behaves, and misbehaves on command; and a token server before it.

Rules are functions of a request, asked in order before the registry answers: one that returns True has answered
itself (or broken the connection). Every request is recorded.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


def digest_of(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


class Recorded:
    def __init__(self, method: str, path: str, query: dict[str, list[str]], headers: dict[str, str]) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


Rule = Callable[["Handler"], bool]


class Registry:
    """`blobs` and `manifests` by repository; `credentials` (user, password) makes it ask for tokens or Basic."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.blobs: dict[str, dict[str, bytes]] = {}
        self.manifests: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.rules: list[Rule] = []
        self.requests: list[Recorded] = []
        self.tokens: dict[str, set[str]] = {}
        self.auth: str = ""  # "", "basic", "token"
        self.user: tuple[str, str] | None = None
        self.refresh = ""
        self.public: set[str] = set()
        self.mounts = True
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"registry": self}))
        self.server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def seen(self, method: str, pattern: str = "") -> list[Recorded]:
        return [r for r in self.requests if r.method == method and re.search(pattern, r.path)]

    def add(self, repository: str, data: bytes) -> str:
        self.blobs.setdefault(repository, {})[digest_of(data)] = data
        return digest_of(data)

    def tag(self, repository: str, tag: str, media_type: str, data: bytes) -> str:
        table = self.manifests.setdefault(repository, {})
        table[tag] = table[digest_of(data)] = (media_type, data)
        return digest_of(data)

    def once(self, method: str, pattern: str, answer: Callable[[Handler], object], times: int = 1) -> None:
        """Answer the next `times` requests that match by `answer`."""
        left = [times]

        def rule(handler: Handler) -> bool:
            if left[0] <= 0 or handler.command != method or not re.search(pattern, handler.path):
                return False
            left[0] -= 1
            answer(handler)
            return True

        self.rules.append(rule)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: Registry
    _body: bytes | None

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, TimeoutError, ssl.SSLError):
            self.close_connection = True

    def body(self) -> bytes:
        if self._body is None:
            self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self._body

    def reply(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """`headers` by name with `_` for `-`. True: the request is answered."""
        self.body()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if not any(name.lower() == "content_length" for name in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return True

    def error(self, status: int, code: str, message: str = "", **headers: str) -> bool:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        return self.reply(status, body, Content_Type="application/json", **headers)

    def reset(self) -> None:
        """Break the connection as a dying machine does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def serve(self) -> object:
        self._body = None
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        headers = {k.lower(): v for k, v in self.headers.items()}
        with self.registry.lock:
            self.registry.requests.append(Recorded(self.command, parts.path, query, headers))
        for rule in self.registry.rules:
            if rule(self):
                return None
        if parts.path == "/token":
            return self.token(query)
        if parts.path.startswith("/v2/"):
            return self.v2(parts.path, query)
        return self.error(404, "NOT_FOUND")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    # Authorization.

    def token(self, query: dict[str, list[str]]) -> object:
        registry = self.registry
        if self.command == "POST":
            form = parse_qs(self.body().decode())
            if form.get("refresh_token", [""])[0] != registry.refresh or not registry.refresh:
                return self.reply(401, b'{"details": "bad refresh token"}')
            scopes, known = form["scope"][0].split(), True
        else:
            scopes = query.get("scope", [])
            login = self.headers.get("Authorization", "").removeprefix("Basic ")
            known = False
            if login:
                pair = base64.b64decode(login).decode().split(":", 1)
                known = registry.user is not None and tuple(pair) == registry.user
                if not known:
                    return self.error(401, "UNAUTHORIZED", "incorrect username or password")
        granted = set()
        for scope in scopes:
            _, name, actions = scope.split(":")
            for action in actions.split(","):
                if known or (action == "pull" and name in registry.public):
                    granted.add(f"{name}:{action}")
        token = f"token-{len(registry.tokens)}-{sha256(repr(sorted(granted)).encode()).hexdigest()[:8]}"
        registry.tokens[token] = granted
        return self.reply(200, json.dumps({"token": token, "expires_in": 300}).encode())

    def allowed(self, repository: str, action: str) -> bool:
        registry = self.registry
        header = self.headers.get("Authorization", "")
        if registry.auth == "basic":
            expected = base64.b64encode(":".join(registry.user or ()).encode()).decode()
            if header == f"Basic {expected}":
                return True
            self.error(401, "UNAUTHORIZED", "login needed", WWW_Authenticate='Basic realm="here, there"')
            return False
        if registry.auth == "token":
            granted = registry.tokens.get(header.removeprefix("Bearer "), set())
            if f"{repository}:{action}" in granted:
                return True
            scope = f"repository:{repository}:{'pull' if action == 'pull' else 'pull,push'}"
            challenge = f'Bearer realm="http://{registry.host}/token",service="test",scope="{scope}"'
            self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=challenge)
            return False
        return True

    # The distribution API.

    def v2(self, path: str, query: dict[str, list[str]]) -> object:
        if path == "/v2/":
            return self.reply(200, b"{}")
        found = re.fullmatch(r"/v2/(.+)/(manifests|blobs/uploads|blobs)/(.*)", path)
        if found is None:
            return self.error(404, "NOT_FOUND")
        repository, kind, name = found.groups()
        action = "pull" if self.command in ("GET", "HEAD") and kind != "blobs/uploads" else "push"
        if not self.allowed(repository, action):
            return None
        if kind == "manifests":
            return self.manifest(repository, name)
        elif kind == "blobs":
            return self.blob(repository, name)
        else:
            return self.upload(repository, name, query)

    def manifest(self, repository: str, name: str) -> object:
        table = self.registry.manifests.setdefault(repository, {})
        if self.command == "PUT":
            data, media_type = self.body(), self.headers["Content-Type"]
            value = json.loads(data)
            for child in value.get("manifests", []):
                if child["digest"] not in table:
                    return self.error(400, "MANIFEST_BLOB_UNKNOWN", child["digest"])
            for blob in [value.get("config"), *value.get("layers", [])]:
                if (
                    blob
                    and blob["digest"] not in self.registry.blobs.get(repository, {})
                    and not blob.get("urls")
                ):
                    return self.error(400, "MANIFEST_BLOB_UNKNOWN", blob["digest"])
            table[name] = table[digest_of(data)] = (media_type, data)
            return self.reply(201, Docker_Content_Digest=digest_of(data))
        if name not in table:
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        media_type, data = table[name]
        return self.reply(200, data, Content_Type=media_type, Docker_Content_Digest=digest_of(data))

    def blob(self, repository: str, digest: str) -> object:
        data = self.registry.blobs.get(repository, {}).get(digest)
        if data is None:
            return self.error(404, "BLOB_UNKNOWN")
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if start is None or self.command == "HEAD":
            return self.reply(200, data, Content_Type="application/octet-stream")
        first = int(start[1])
        if first >= len(data):
            return self.reply(416)
        return self.reply(206, data[first:], Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}")

    def upload(self, repository: str, name: str, query: dict[str, list[str]]) -> object:
        registry = self.registry
        if self.command == "POST":
            digest, source = query.get("mount", [""])[0], query.get("from", [""])[0]
            if digest and registry.mounts and digest in registry.blobs.get(source, {}):
                registry.add(repository, registry.blobs[source][digest])
                return self.reply(201, Location=f"/v2/{repository}/blobs/{digest}")
            name = f"upload-{len(registry.uploads)}-{time.monotonic_ns()}"
            registry.uploads[name] = bytearray()
            return self.reply(202, Location=f"/v2/{repository}/blobs/uploads/{name}?state=x")
        if name not in registry.uploads:
            return self.error(404, "BLOB_UPLOAD_UNKNOWN")
        upload = registry.uploads[name]
        location = f"/v2/{repository}/blobs/uploads/{name}?state=x"
        if self.command == "DELETE":
            del registry.uploads[name]
            return self.reply(204)
        if self.command == "GET":
            return self.reply(204, Location=location, Range=f"0-{max(len(upload) - 1, 0)}")
        if self.command == "PATCH":
            start = self.headers.get("Content-Range", "0-").partition("-")[0]
            if int(start) != len(upload):
                return self.reply(416, Location=location, Range=f"0-{max(len(upload) - 1, 0)}")
            upload += self.body()
            return self.reply(202, Location=location, Range=f"0-{len(upload) - 1}")
        data = bytes(upload) + self.body()
        if digest_of(data) != query["digest"][0]:
            return self.error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        del registry.uploads[name]
        registry.add(repository, data)
        return self.reply(
            201, Location=f"/v2/{repository}/blobs/{digest_of(data)}", Docker_Content_Digest=digest_of(data)
        )
