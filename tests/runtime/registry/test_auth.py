"""Logins: challenges, tokens, credential files and helpers. Secrets stay out of everything that is shown."""

from __future__ import annotations

import base64
import json
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.registry.behaving import Registry
from tests.runtime.registry.conftest import MakeClient
from tests.runtime.registry.images import Image, tar

from pybuild.lang.diagnostics import render
from pybuild.runtime.registry import errors
from pybuild.runtime.registry.auth import merge_scopes, parse_challenges
from pybuild.runtime.registry.credentials import Credentials

SECRET = "s3cret:with:colons"


def docker_config(host: str, user: str = "ann", secret: str = SECRET) -> str:
    encoded = base64.b64encode(f"{user}:{secret}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": encoded}}})


@pytest.fixture
def image() -> Image:
    return Image(tar(a=b"1"))


# Challenges.


def test_challenges_of_every_shape() -> None:
    header = 'Negotiate, Bearer realm="https://a/t?x=1,2",service=reg , scope="repository:a:pull,push" , '
    header += 'Basic realm="say \\"hi\\""'
    negotiate, bearer, basic = parse_challenges([header])
    assert (negotiate.scheme, negotiate.parameters) == ("negotiate", {})
    assert bearer.parameters == {
        "realm": "https://a/t?x=1,2",
        "service": "reg",
        "scope": "repository:a:pull,push",
    }
    assert basic.parameters == {"realm": 'say "hi"'}


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_header_is_parsed(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


def test_scopes_are_united() -> None:
    scopes = ["repository:b:pull", "repository:a:push,pull", "repository:b:push", "registry:x:y:*", "junk"]
    assert merge_scopes(scopes) == ("registry:x:y:*", "repository:a:pull,push", "repository:b:pull,push")


# Tokens.


def test_an_anonymous_token(behaving: Registry, make_client: MakeClient, image: Image) -> None:
    behaving.auth, behaving.public = "token", {"app"}
    image.serve(behaving, "app", "v1")
    client = make_client()
    repository = client.repository(behaving.host, "app")
    assert repository.resolve("v1")[0] == image.manifest
    assert repository.has_blob(image.config.digest, action="pull")
    [token] = behaving.seen("GET", "/token")
    assert token.query["service"] == ["test"]
    assert token.query["scope"] == ["repository:app:pull"]
    assert "authorization" not in token.headers


def test_a_token_by_user_and_password(behaving: Registry, make_client: MakeClient, image: Image) -> None:
    behaving.auth, behaving.user = "token", ("ann", SECRET)
    image.serve(behaving, "app", "v1")
    client = make_client(auth=docker_config(behaving.host))
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest
    [token] = behaving.seen("GET", "/token")
    assert token.query["account"] == ["ann"]


def test_a_token_for_a_refresh_token(behaving: Registry, make_client: MakeClient, image: Image) -> None:
    behaving.auth, behaving.refresh = "token", "identity"
    image.serve(behaving, "app", "v1")
    auth = {"auths": {behaving.host: {"identitytoken": "identity"}}}
    client = make_client(auth=json.dumps(auth))
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest
    assert len(behaving.seen("POST", "/token")) == 1


def test_a_token_serves_until_it_is_refused(
    behaving: Registry, make_client: MakeClient, image: Image
) -> None:
    behaving.auth, behaving.public = "token", {"app"}
    image.serve(behaving, "app", "v1")
    repository = make_client().repository(behaving.host, "app")
    repository.resolve("v1")
    repository.resolve("v1")
    assert len(behaving.seen("GET", "/token")) == 1
    behaving.tokens.clear()
    repository.resolve("v1")
    assert len(behaving.seen("GET", "/token")) == 2


def test_a_push_token_also_pulls(behaving: Registry, make_client: MakeClient, image: Image) -> None:
    behaving.auth, behaving.user = "token", ("ann", SECRET)
    image.serve(behaving, "app", "v1")
    repository = make_client(auth=docker_config(behaving.host)).repository(behaving.host, "app")
    assert repository.has_manifest("v1") == image.manifest.digest
    repository.resolve("v1")
    [token] = behaving.seen("GET", "/token")
    assert token.query["scope"] == ["repository:app:pull,push"]


def test_basic(behaving: Registry, make_client: MakeClient, image: Image) -> None:
    behaving.auth, behaving.user = "basic", ("ann", SECRET)
    image.serve(behaving, "app", "v1")
    client = make_client(auth=docker_config(f"https://{behaving.host}/v1/"))
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest


# Refusals.


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_a_login_is_wanted(behaving: Registry, make_client: MakeClient, kind: str) -> None:
    behaving.auth, behaving.user = kind, ("ann", SECRET)
    with pytest.raises(errors.AccessDenied) as caught:
        make_client().repository(behaving.host, "app").resolve("v1")
    assert str(caught.value) == f"{behaving.host} wants a login to pull app"
    assert f"`docker login {behaving.host}`" in render(caught.value.diagnostic)


@pytest.mark.parametrize("kind", ["basic", "token"])
def test_wrong_credentials_stay_secret(behaving: Registry, make_client: MakeClient, kind: str) -> None:
    behaving.auth, behaving.user = kind, ("ann", "another")
    client = make_client(auth=docker_config(behaving.host))
    with pytest.raises(errors.AccessDenied) as caught:
        client.repository(behaving.host, "app").has_blob("sha256:" + "0" * 64)
    assert str(caught.value) == f"{behaving.host} refused the credentials of ann to push app"
    encoded = base64.b64encode(f"ann:{SECRET}".encode()).decode()
    shown = render(caught.value.diagnostic) + "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert encoded not in shown
    assert SECRET not in repr(client._credentials.find(behaving.host).credential)


def test_forbidden(behaving: Registry, make_client: MakeClient) -> None:
    behaving.rules.append(lambda h: "/blobs/" in h.path and h.error(403, "DENIED", "quota"))
    client = make_client(auth=docker_config(behaving.host))
    with pytest.raises(errors.AccessDenied, match="does not allow ann to push app") as caught:
        client.repository(behaving.host, "app").has_blob("sha256:" + "0" * 64)
    assert caught.value.status == 403


def test_credentials_are_not_sent_to_a_clear_text_realm(behaving: Registry, make_client: MakeClient) -> None:
    from pybuild.runtime.registry.auth import Challenge, _TokenRequest
    from pybuild.runtime.registry.hosts import Hosts

    client = make_client(auth=docker_config("r.example.com"))
    found = client._credentials.find("r.example.com")
    challenge = Challenge("bearer", {"realm": "http://tokens.example.com/token"})
    request = _TokenRequest(Hosts().origin("r.example.com"), client._transport, challenge, found, None)
    with pytest.raises(errors.AccessDenied, match="unencrypted to http://tokens"):
        request.fetch(("repository:a:pull",), "a", "pull")


# Files and helpers.


def credentials(tmp_path: Path, config: object, **environ: str) -> Credentials:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return Credentials(
        {"HOME": "/nonexistent", "DOCKER_CONFIG": str(tmp_path), "PATH": str(tmp_path), **environ}
    )


def helper(tmp_path: Path, name: str, script: str) -> None:
    path = tmp_path / f"docker-credential-{name}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


ANSWER = """echo '{"ServerURL": "x", "Username": "'$USER_NAME'", "Secret": "from-helper"}'"""


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_docker_hub_under_any_of_its_names(tmp_path: Path, key: str) -> None:
    found = credentials(tmp_path, {"auths": {key: {"username": "ann", "password": "x"}}})
    credential = found.find("docker.io", "library/busybox").credential
    assert credential is not None
    assert (credential.user, credential.secret) == ("ann", "x")


def test_a_helper_for_one_registry(tmp_path: Path) -> None:
    helper(tmp_path, "one", f'read server; [ "$server" = r.example.com ] && {ANSWER}')
    config = {"credHelpers": {"r.example.com": "one"}, "auths": {"r.example.com": {"username": "file"}}}
    credential = credentials(tmp_path, config, USER_NAME="ann").find("r.example.com").credential
    assert credential is not None
    assert (credential.user, credential.secret) == ("ann", "from-helper")


def test_a_helper_for_all_with_an_identity_token(tmp_path: Path) -> None:
    helper(tmp_path, "all", f'read server; [ "$server" = https://index.docker.io/v1/ ] && {ANSWER}')
    found = credentials(tmp_path, {"credsStore": "all"}, USER_NAME="<token>").find("docker.io")
    assert found.credential is not None
    assert found.credential.refresh == "from-helper"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "docker-credential-all is configured but not installed"),
        ("echo not json", "docker-credential-all gave no usable answer"),
        ("echo crashed >&2; exit 3", "docker-credential-all failed (exit 3)"),
        ("echo credentials not found in native keychain; exit 1", ""),
    ],
)
def test_a_helper_that_fails_leaves_anonymous_access(
    tmp_path: Path, script: str | None, problem: str
) -> None:
    if script is not None:
        helper(tmp_path, "all", script)
    found = credentials(tmp_path, {"credsStore": "all"}).find("r.example.com")
    assert found.credential is None
    assert found.problem.endswith(problem)


def test_the_helper_s_problem_is_told_with_the_refusal(behaving: Registry, make_client: MakeClient) -> None:
    behaving.auth, behaving.user = "basic", ("ann", SECRET)
    client = make_client(auth='{"credsStore": "desktop"}')
    with pytest.raises(errors.AccessDenied) as caught:
        client.repository(behaving.host, "app").resolve("v1")
    assert "docker-credential-desktop is configured but not installed" in render(caught.value.diagnostic)


def test_podman_s_file_knows_namespaces(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    auths = {
        "quay.io": {"username": "all", "password": "x"},
        "quay.io/org": {"username": "org", "password": "x"},
    }
    (tmp_path / "containers" / "auth.json").write_text(json.dumps({"auths": auths}))
    found = Credentials({"HOME": "/nonexistent", "XDG_RUNTIME_DIR": str(tmp_path)})
    for repository, user in [("org/app", "org"), ("other/app", "all")]:
        credential = found.find("quay.io", repository).credential
        assert credential is not None
        assert credential.user == user


def test_an_inline_config_comes_first(tmp_path: Path) -> None:
    inline = json.dumps({"auths": {"r.example.com": {"username": "inline", "password": "x"}}})
    config = {"auths": {"r.example.com": {"username": "file", "password": "x"}}}
    credential = credentials(tmp_path, config, DOCKER_AUTH_CONFIG=inline).find("r.example.com").credential
    assert credential is not None
    assert credential.user == "inline"


def test_a_damaged_file_is_named_and_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"auths": {SECRET}')
    with pytest.raises(errors.BadRegistryConfig, match=r"config\.json: it is not JSON") as caught:
        Credentials({"DOCKER_CONFIG": str(tmp_path)}).find("r.example.com")
    assert SECRET not in render(caught.value.diagnostic)


def test_nothing_is_read_before_a_registry_asks(
    behaving: Registry, make_client: MakeClient, image: Image
) -> None:
    image.serve(behaving, "app", "v1")
    client = make_client(auth="damaged")
    assert client.repository(behaving.host, "app").resolve("v1")[0] == image.manifest
