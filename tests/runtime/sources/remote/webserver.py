"""A web server whose answers a test writes, and one for git repositories, both on the loopback."""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from collections.abc import Callable
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Rule = Callable[["Handler"], bool]

LONG_AGO = 1_500_000_000


class Web:
    """`files` by path, with what the server says of them. `rules` are asked before; one that returns True has
    answered. `seen` are the requests: method, path, headers in lower case."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, port: int = 0) -> None:
        self.files: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.tags = True
        self.dates = True
        self.rules: list[Rule] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"web": self}))
        self.server.daemon_threads = True
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.scheme = "https"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_address[1]}"

    def url(self, path: str) -> str:
        return f"{self.scheme}://{self.host}{path}"

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of the requests for `path`."""
        return [headers for _, one, headers in self.seen if one == path]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"
    timeout = 20

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length) if length else b""
        self.web.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        if not any(rule(self) for rule in self.web.rules):
            self.serve()

    do_POST = do_HEAD = do_GET

    def serve(self) -> None:
        data = self.web.files.get(self.path)
        if data is None:
            self.answer(404, b"no such file")
            return
        said = dict(self.web.headers.get(self.path, {}))
        if self.web.tags:
            said.setdefault("ETag", f'"{sha256(data).hexdigest()[:16]}"')
        if self.web.dates:
            said.setdefault("Last-Modified", formatdate(LONG_AGO, usegmt=True))
        tags = [tag.strip() for tag in self.headers.get("If-None-Match", "").split(",")]
        since = self.headers.get("If-Modified-Since")
        if said.get("ETag", "?") in tags or (since is not None and since == said.get("Last-Modified")):
            self.answer(304, b"", {"ETag": said["ETag"]} if "ETag" in said else {})
            return
        ranged = self.headers.get("Range", "")
        if ranged and self.headers.get("If-Range") == said.get("ETag"):
            start = int(ranged.removeprefix("bytes=").rstrip("-"))
            said["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[start:], said)
            return
        self.answer(200, data, said)

    def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> bool:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        return True

    def redirect(self, target: str) -> bool:
        return self.answer(302, b"", {"Location": target})

    def cut(self, data: bytes, sent: int, headers: dict[str, str]) -> bool:
        """Announce all of `data`, send the beginning, and hang up."""
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:sent])
        self.close_connection = True
        return True


def smart_git(root: Path) -> Rule:
    """Answers as `git http-backend` does for the repositories in `root`."""

    def rule(handler: Handler) -> bool:
        path, _, query = handler.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(handler.body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "http-backend"],
            input=handler.body,
            env={**environment, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=20,
        )
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        lines = [line.decode().partition(": ") for line in head.split(b"\r\n")]
        status = next((int(value.split()[0]) for name, _, value in lines if name == "Status"), 200)
        handler.answer(status, data, {name: value for name, _, value in lines if name and name != "Status"})
        return True

    return rule


def dumb_git(root: Path) -> Rule:
    """Serves the files of the repositories in `root`, no more."""

    def rule(handler: Handler) -> bool:
        file = root / handler.path.partition("?")[0].lstrip("/")
        if file.is_file():
            handler.answer(200, file.read_bytes(), {"Content-Type": "text/plain"})
        else:
            handler.answer(404, b"")
        return True

    return rule
