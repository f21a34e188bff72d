"""What a frontend is told of sources before their files are there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.daemon.client.bridge import Gateway
from tests.runtime.bridge.asking import fails
from tests.runtime.sources.remote.conftest import Repositories
from tests.runtime.sources.remote.webserver import LONG_AGO, Web, smart_git

from pybuild.compiler.protos import gateway_pb2 as pb

pytestmark = pytest.mark.root


def test_a_file_of_the_web(gateway: Gateway, web: Web) -> None:
    """Its checksum, and another one of what it holds with something behind it."""
    web.files["/some.txt"] = b"content"
    request = pb.ChecksumRequest(Algo=pb.ChecksumRequest.CHECKSUM_ALGO_SHA512, Suffix=b"and more")
    http = pb.ResolveSourceHTTPRequest(ChecksumRequest=request)
    found = gateway.resolve_source(web.url("/some.txt"), HTTP=http).HTTP
    assert found.Checksum == "sha256:" + hashlib.sha256(b"content").hexdigest()
    assert found.ChecksumResponse.Digest == "sha512:" + hashlib.sha512(b"contentand more").hexdigest()
    assert (found.ChecksumResponse.Suffix, found.Filename) == (b"and more", "some.txt")
    assert found.LastModified.seconds == LONG_AGO
    plain = gateway.resolve_source(web.url("/some.txt")).HTTP
    assert not plain.HasField("ChecksumResponse")
    http.ChecksumRequest.Algo = 7  # type: ignore[assignment]
    assert "algorithm 7" in fails(lambda: gateway.resolve_source(web.url("/some.txt"), HTTP=http)).message
    assert "404" in fails(lambda: gateway.resolve_source(web.url("/none"))).message


def test_a_tag_of_a_repository(gateway: Gateway, web: Web, tmp_path: Path) -> None:
    """The tag's own object and the commit it leads to, with their bytes if they are asked for."""
    repositories = Repositories(tmp_path)
    commit = repositories.make("app", {"a": "text"})
    tag = repositories.tag("app", "v1", annotated=True)
    web.rules.append(smart_git(repositories.root))
    remote, attrs = f"git://{web.host}/app.git#refs/tags/v1", {"git.fullurl": web.url("/app.git")}
    plain = gateway.resolve_source(remote, attrs).Git
    assert (plain.Ref, plain.Checksum, plain.CommitChecksum) == ("refs/tags/v1", tag, commit)
    assert (plain.CommitObject, plain.TagObject) == (b"", b"")
    full = gateway.resolve_source(remote, attrs, Git=pb.ResolveSourceGitRequest(ReturnObject=True)).Git
    assert hashlib.sha1(b"commit %d\0" % len(full.CommitObject) + full.CommitObject).hexdigest() == commit
    assert hashlib.sha1(b"tag %d\0" % len(full.TagObject) + full.TagObject).hexdigest() == tag
