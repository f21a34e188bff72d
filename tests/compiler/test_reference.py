import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybuild.compiler.reference import InvalidReference, Reference, parse
from pybuild.lang.diagnostics import render

D = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "domain", "path", "tag", "digest", "familiar", "canonical"),
    [
        ("alpine", "docker.io", "library/alpine", None, None, "alpine", "docker.io/library/alpine:latest"),
        (
            "alpine:3.20",
            "docker.io",
            "library/alpine",
            "3.20",
            None,
            "alpine:3.20",
            "docker.io/library/alpine:3.20",
        ),
        ("a/b", "docker.io", "a/b", None, None, "a/b", "docker.io/a/b:latest"),
        ("library/x", "docker.io", "library/x", None, None, "x", "docker.io/library/x:latest"),
        (
            "library/x/y",
            "docker.io",
            "library/x/y",
            None,
            None,
            "library/x/y",
            "docker.io/library/x/y:latest",
        ),
        ("docker.io/x", "docker.io", "library/x", None, None, "x", "docker.io/library/x:latest"),
        ("index.docker.io/x:1", "docker.io", "library/x", "1", None, "x:1", "docker.io/library/x:1"),
        ("localhost/x", "localhost", "x", None, None, "localhost/x", "localhost/x:latest"),
        (
            "localhost",
            "docker.io",
            "library/localhost",
            None,
            None,
            "localhost",
            "docker.io/library/localhost:latest",
        ),
        ("host:5000/x", "host:5000", "x", None, None, "host:5000/x", "host:5000/x:latest"),
        ("[::1]:5000/x:t", "[::1]:5000", "x", "t", None, "[::1]:5000/x:t", "[::1]:5000/x:t"),
        (
            "1.2.3.4/a/b-c__d.e",
            "1.2.3.4",
            "a/b-c__d.e",
            None,
            None,
            "1.2.3.4/a/b-c__d.e",
            "1.2.3.4/a/b-c__d.e:latest",
        ),
        ("Host/x", "Host", "x", None, None, "Host/x", "Host/x:latest"),
        (f"x@{D}", "docker.io", "library/x", None, D, f"x@{D}", f"docker.io/library/x@{D}"),
        (f"g.io/a/x:1@{D}", "g.io", "a/x", "1", D, f"g.io/a/x:1@{D}", f"g.io/a/x:1@{D}"),
        ("x:_-.A", "docker.io", "library/x", "_-.A", None, "x:_-.A", "docker.io/library/x:_-.A"),
        ("a--b/c---d", "docker.io", "a--b/c---d", None, None, "a--b/c---d", "docker.io/a--b/c---d:latest"),
    ],
)
def test_names(
    text: str, domain: str, path: str, tag: str | None, digest: str | None, familiar: str, canonical: str
) -> None:
    found = parse(text)
    assert (found.domain, found.path, found.tag, found.digest) == (domain, path, tag, digest)
    assert found.familiar == familiar
    assert found.canonical == str(found) == canonical
    assert found.name == f"{domain}/{path}"
    assert parse(found.canonical).canonical == canonical
    assert parse(familiar) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("Alpine", "the repository name must be lower case"),
        ("docker.io/Library/x", "the repository name must be lower case"),
        ("https://x.io/y", "it has a scheme"),
        ("a b", "'a b' can't be part of a repository name"),
        ("-a", "'-a' can't be part of a repository name"),
        ("a_-b", "'a_-b' can't be part of a repository name"),
        ("a___b", "'a___b' can't be part of a repository name"),
        ("a..b", "'a..b' can't be part of a repository name"),
        ("x\n", "'x\\n' can't be part of a repository name"),
        ("a//b", "a part of the repository name is empty"),
        ("a/", "a part of the repository name is empty"),
        ("g.io/", "a part of the repository name is empty"),
        ("docker.io/", "a part of the repository name is empty"),
        (":tag", "a part of the repository name is empty"),
        ("/a", "a part of the repository name is empty"),
        ("a_b.c/d", "'a_b.c' is no registry"),
        ("host:port/x", "'host:port' is no registry"),
        ("-h.io/x", "'-h.io' is no registry"),
        ("x:", "the tag is empty"),
        ("x:-a", "'-a' is no tag"),
        ("x:a:b", "'a:b' is no tag"),
        ("x:" + "a" * 129, f"'{'a' * 129}' is no tag"),
        ("x@", "'' is no digest"),
        ("x@abc", "'abc' is no digest"),
        ("x@md5:" + "a" * 32, "the digest's algorithm is 'md5'"),
        ("x@sha256:abc", "'sha256:abc' is no sha256 digest"),
        ("x@" + D.upper().replace("SHA", "sha"), f"'{D.upper().replace('SHA', 'sha')}' is no sha256 digest"),
        (f"x@{D}@{D}", f"'{D}@{D}' is no sha256 digest"),
        ("a" * 64, "64 hexadecimal digits are an image's id"),
        ("x/" + "a" * 254, "the repository name is longer than 255 characters"),
    ],
)
def test_errors(text: str, reason: str) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert caught.value.reason == reason
    shown = text.replace("\n", "\\n")
    assert str(caught.value) == f"invalid reference format: '{shown}': {reason}"
    assert "= help: " in render(caught.value.diagnostic)


def test_changes_are_new_references() -> None:
    alpine = parse("alpine:3")
    pinned = alpine.with_digest(D)
    assert pinned.canonical == f"docker.io/library/alpine:3@{D}"
    assert pinned.with_tag("4").familiar == f"alpine:4@{D}"
    assert (alpine.tag, alpine.digest) == ("3", None)
    assert len({alpine, parse("docker.io/library/alpine:3"), pinned}) == 2
    with pytest.raises(InvalidReference):
        alpine.with_digest("sha256:1")
    with pytest.raises(InvalidReference):
        alpine.with_tag("a/b")
    with pytest.raises(AttributeError):
        alpine.tag = "4"


@given(st.text("aB1./:@-_ [", max_size=20) | st.text())
def test_a_reference_or_an_error(text: str) -> None:
    try:
        found = parse(text)
    except InvalidReference:
        return
    assert isinstance(found, Reference)
    assert parse(found.familiar) == found
    assert parse(found.canonical).canonical == found.canonical
