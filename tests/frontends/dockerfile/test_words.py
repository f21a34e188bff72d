"""What clients are told of a Dockerfile that is wrong: the message, and the lines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.daemon.client.bridge import Gateway
from tests.daemon.client.failure import Failure
from tests.daemon.client.solving import Build, SolveFailed, ask, solve
from tests.frontends.dockerfile.asking import CONTEXT, files, lines, made
from tests.support.daemons import HOST_NETWORK, Peer

from pybuild.compiler.protos import errdefs_pb2

LINE_2 = "dockerfile parse error on line 2: "

SAME = {
    "FROM scratch\nFOO bar\n": LINE_2 + "unknown instruction: FOO (did you mean FROM?)",
    "FROM scratch\nCOPPY a /\n": LINE_2 + "unknown instruction: COPPY (did you mean COPY?)",
    "FROM scratch\nQWERTY\n": LINE_2 + "unknown instruction: QWERTY",
    "": "the Dockerfile cannot be empty",
    "# a\n": "file with no instructions",
    "RUN x\n": "no build stage in current context",
    "FROM scratch\nCOPY a\n": LINE_2 + "COPY requires at least two arguments, but only one was provided. "
    "Destination could not be determined",
    "FROM scratch\nCOPY a <<E\nE\n": LINE_2 + "COPY cannot accept a heredoc as a destination",
    "FROM scratch\nENV a\n": "ENV must have two arguments",
    "FROM scratch\nENV a=b c\n": 'Syntax error - can\'t find = in "c". Must be of the form: name=value',
    "FROM scratch\nENV\n": LINE_2 + "ENV requires at least one argument",
    "FROM scratch\nENV =a\n": LINE_2 + "ENV names can not be blank",
    "FROM scratch\nARG =a\n": LINE_2 + "ARG names can not be blank",
    "FROM scratch\nUSER\n": LINE_2 + "USER requires exactly one argument",
    'FROM scratch\nCMD ["a", 1]\n': "when using JSON array syntax, arrays must be comprised of strings only",
    "FROM scratch\nCOPY <<E /x\nfoo\n": "unterminated heredoc",
    "FROM scratch\nONBUILD FROM x\n": LINE_2 + "FROM isn't allowed as an ONBUILD trigger",
    "FROM scratch\nONBUILD ONBUILD RUN x\n": LINE_2 + "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
    "FROM scratch\nSHELL sh\n": LINE_2 + "SHELL requires the arguments to be in JSON form",
    "FROM scratch\nHEALTHCHECK X y\n": LINE_2 + 'Unknown type "X" in HEALTHCHECK (try CMD)',
    "FROM scratch\nHEALTHCHECK CMD\n": LINE_2 + "Missing command after HEALTHCHECK CMD",
    "FROM scratch\nHEALTHCHECK NONE x\n": LINE_2 + "HEALTHCHECK NONE takes no arguments",
    "FROM scratch\nHEALTHCHECK --interval=1us CMD x\n": LINE_2
    + 'Interval "interval" cannot be less than 1ms',
    "FROM scratch\nHEALTHCHECK --interval=x CMD x\n": LINE_2 + 'time: invalid duration "x"',
    "FROM scratch\nHEALTHCHECK --retries=-1 CMD x\n": LINE_2 + "--retries cannot be negative (-1)",
    'FROM scratch\nVOLUME [""]\n': LINE_2 + "VOLUME specified can not be an empty string",
    "FROM scratch\nFROM a b\n": LINE_2 + "FROM requires either one or three arguments",
    "FROM scratch\nFROM a AS 1\n": LINE_2
    + 'invalid name for build stage: "1", name can\'t start with a number or contain symbols',
    "FROM scratch\nRUN --mount=type=foo x\n": 'unsupported mount type "foo"',
    "FROM scratch\nRUN --mount=type=bnd x\n": 'unsupported mount type "bnd" (did you mean bind?)',
    "FROM scratch\nRUN --mount=targte=/x x\n": "unexpected key 'targte' in 'targte=/x' (did you mean target?)",
    'FROM scratch\nENV a="${x:?set it}"\n': 'failed to process "\\"${x:?set it}\\"": x: set it',
    'FROM scratch\nWORKDIR /"x\n': 'failed to process "/\\"x": unexpected end of statement while looking for '
    "matching double-quote",
    "FROM scratch\nHEALTHCHECK --interval=5 CMD x\n": LINE_2 + 'time: missing unit in duration "5"',
    "FROM scratch\nHEALTHCHECK --interval=1d CMD x\n": LINE_2 + 'time: unknown unit "d" in duration "1d"',
    "FROM scratch\nRUN --network=foo x\n": LINE_2 + 'invalid network mode "foo"',
    "# escape=x\nFROM scratch\n": "invalid escape token 'x' does not match ` or \\",
    "# escape=\\\n# escape=\\\nFROM scratch\n": "only one escape parser directive can be used",
    "FROM UPPER:1\n": 'failed to parse stage name "UPPER:1": invalid reference format: '
    "repository name (library/UPPER) must be lowercase",
    "FROM --platform=a/b/c/d scratch\n": 'failed to parse platform a/b/c/d: "a/b/c/d": '
    "cannot parse platform specifier: invalid argument",
    "FROM --platform=nope scratch\n": 'failed to parse platform nope: "nope": '
    "unknown operating system or architecture: invalid argument",
    "FROM scratch AS a\nCOPY --from=b a /\nFROM scratch AS b\nFROM a\n": 'cannot copy from stage "b", it needs '
    'to be defined before current stage "a"',
    "FROM scratch\nSTOPSIGNAL NOPE\n": "invalid signal: NOPE",
}
"""Dockerfiles, and what is said of them by BuildKit and by us."""

NEWER = {
    "FROM scratch\nCOPY --foo=1 a /\n": LINE_2 + "unknown flag: --foo (did you mean from?)",
    "FROM scratch\nCOPY --chown=a --chown=b a /\n": LINE_2 + "duplicate flag specified: --chown",
    "FROM scratch\nCOPY --link=x a /\n": LINE_2 + "expecting boolean value for flag --link, not: x",
    "FROM scratch\nCOPY --chown a /\n": LINE_2 + "missing a value on flag: --chown",
    "FROM scratch\nCOPY --from=$x a /\n": "variable expansion is not supported for --from, define a new stage "
    "with FROM using ARG from global scope as a workaround",
}
"""In words of later versions than that of the Docker of tests."""


def said(peer: Peer, texts: Iterator[str]) -> dict[str, str]:
    """The messages of all, from one build."""

    def frontend(gateway: Gateway) -> dict[str, str]:
        return {text: _failure(gateway, text).message for text in texts}

    return ask(peer.daemon, frontend)


def _failure(gateway: Gateway, text: str) -> Failure:
    try:
        made(gateway, text)
    except Failure as failure:
        return failure
    raise AssertionError(f"it is fine: {text!r}")


def test_messages(peer: Peer) -> None:
    assert said(peer, iter(SAME)) == SAME


def test_messages_of_later_versions(ours: Peer) -> None:
    assert said(ours, iter(NEWER)) == NEWER


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("FROM scratch\nFOO bar\n", [(2, 2)]),
        ("FROM scratch\nCOPY \\\n  # a\n a\n", [(2, 2), (3, 3), (4, 4)]),
        ("FROM scratch\nCOPY <<E /x\nfoo\n", [(2, 2), (3, 3)]),
        ("ARG x\nFROM --platform=nope \\\n scratch\n", [(2, 2), (3, 3)]),
        ("FROM scratch\nRUN --mount=type=foo <<E\nE\n", [(2, 2), (3, 3)]),
    ],
)
def test_places_are_whole_lines(peer: Peer, text: str, found: list[tuple[int, int]]) -> None:
    build = Build(frontend="dockerfile.v0", inputs={"dockerfile": files(Dockerfile=text), "context": CONTEXT})
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, build)
    assert lines(caught.value) == found
    (source,) = caught.value.all(errdefs_pb2.Source)
    assert source.info.filename == "Dockerfile"
    assert source.info.data == text.encode()
    assert source.info.definition.HasField("Source") or source.info.definition.metadata


def test_an_image_that_is_nowhere(peer: Peer, registry: str) -> None:
    name = f"{registry}/pybuild-nowhere:1"
    failure = ask(peer.daemon, lambda gateway: _failure(gateway, f"FROM {name}\n"))
    assert failure.message == f"{name}: failed to resolve source metadata for {name}: {name}: not found"


def test_a_file_that_is_missing(peer: Peer) -> None:
    build = Build(
        frontend="dockerfile.v0",
        inputs={"dockerfile": files(Dockerfile="FROM scratch\nCOPY nope /\n"), "context": CONTEXT},
    )
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, build)
    message = caught.value.message
    assert message.startswith("failed to compute cache key: failed to calculate checksum of ref ")
    assert message.endswith('"/nope": not found')
    assert lines(caught.value) == [(2, 2)]


@pytest.mark.crun
@pytest.mark.parametrize(
    ("run", "process", "found"),
    [
        ("RUN true && \\\n  # c\n  false", "/bin/sh -c true &&   false", [(2, 2), (3, 3), (4, 4)]),
        ("RUN <<E\nfalse\nE", "/bin/sh -c false\\n", [(2, 2), (3, 3), (4, 4)]),
    ],
)
def test_a_step_that_fails(
    peer: Peer, base_reference: str, run: str, process: str, found: list[tuple[int, int]]
) -> None:
    build = Build(
        frontend="dockerfile.v0",
        attrs={"force-network-mode": "host"},
        inputs={"dockerfile": files(Dockerfile=f"FROM {base_reference}\n{run}\n"), "context": CONTEXT},
        entitlements=[HOST_NETWORK],
    )
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, build)
    assert caught.value.message == f'process "{process}" did not complete successfully: exit code: 1'
    assert lines(caught.value) == found
    assert caught.value.one(errdefs_pb2.Vertex).digest


def test_a_frontend_image_that_is_nowhere(peer: Peer, registry: str) -> None:
    name = f"{registry}/pybuild-nowhere:1"
    said = f"failed to resolve source metadata for {name}: {name}: not found"
    syntax = {"dockerfile": files(Dockerfile=f"# syntax={name}\nFROM scratch\n"), "context": CONTEXT}
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, Build(frontend="dockerfile.v0", inputs=syntax))
    assert (caught.value.message, lines(caught.value)) == (said, [(1, 1)])
    plain = {"dockerfile": files(Dockerfile="FROM scratch\n"), "context": CONTEXT}
    argument = {"build-arg:BUILDKIT_SYNTAX": name}
    with pytest.raises(SolveFailed) as caught:
        solve(peer.daemon, Build(frontend="dockerfile.v0", attrs=argument, inputs=plain))
    assert caught.value.message == f"failed with build-arg:BUILDKIT_SYNTAX = {name}: {said}"


def test_an_empty_definition_has_no_dockerfile(peer: Peer) -> None:
    with pytest.raises(SolveFailed, match="cannot marshal empty definition op"):
        solve(peer.daemon, Build(frontend="dockerfile.v0", inputs={"dockerfile": None, "context": CONTEXT}))
    unused = {"dockerfile": files(Dockerfile="FROM scratch\nENV a=b\n"), "context": None}
    solve(peer.daemon, Build(frontend="dockerfile.v0", inputs=unused))


OPTIONS = {
    "filename=x": "failed to read dockerfile: open x: no such file or directory",
    "target=x": 'target stage "x" could not be found',
    "requestid=x": "unsupported request x",
    "frontend.caps=x": "unsupported frontend capability x",
    "platform=a/b/c/d": 'failed to parse target platform a/b/c/d: "a/b/c/d": '
    "cannot parse platform specifier: invalid argument",
    "multi-platform=x": "invalid boolean value for multi-platform: x",
    "force-network-mode=x": "invalid netmode x",
    "image-resolve-mode=x": "invalid image-resolve-mode: x",
    "ulimit=x": "failed to parse ulimit: invalid ulimit argument: x",
    "add-hosts=x": "failed to parse additional hosts: invalid key-value pair x",
    "shm-size=x": 'failed to parse shm size: strconv.ParseInt: parsing "x": invalid syntax',
}


def test_options(peer: Peer) -> None:
    def frontend(gateway: Gateway) -> dict[str, str]:
        return {word: _refusal(gateway, word) for word in OPTIONS}

    assert ask(peer.daemon, frontend) == OPTIONS


def _refusal(gateway: Gateway, word: str) -> str:
    name, _, value = word.partition("=")
    try:
        made(gateway, "FROM scratch\n", {name: value})
    except Failure as failure:
        return failure.message
    raise AssertionError(f"{word} is fine")
