"""Which frontends a gateway calls."""

from __future__ import annotations

import pytest

from pybuild.compiler.gateway import Request, Result
from pybuild.frontends import gateway_v0
from pybuild.frontends.gateway import IMAGE, MOST_AT_ONCE, BuiltinFrontends
from pybuild.lang.diagnostics import UserError


class Ours(BuiltinFrontends):
    gateway = None  # type: ignore[assignment]


def test_one_that_calls_itself_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    frontends, calls = Ours(), []

    def again(images: object, request: Request, gateway: object) -> Result:
        calls.append(request)
        return frontends.solve(request)

    monkeypatch.setattr(gateway_v0.ExternalFrontends, "solve", again)
    for _ in range(2):
        calls.clear()
        with pytest.raises(UserError, match=f"more than {MOST_AT_ONCE} frontends at once"):
            frontends.solve(Request(frontend=IMAGE))
        assert len(calls) == MOST_AT_ONCE


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no source specified for gateway"),
        ({"source": "other/x:1"}, "'other/x:1' is not an allowed gateway source"),
        ({"source": "team/xy"}, "'team/xy' is not an allowed gateway source"),
        ({"source": "team/x", "gateway-devel": ""}, "development gateway is no longer supported"),
    ],
)
def test_what_is_refused_in_buildkits_words(options: dict[str, str], said: str) -> None:
    frontends = Ours(repositories=["docker.io/team/x:7"])
    with pytest.raises(UserError) as refused:
        frontends.solve(Request(frontend=IMAGE, options=options))
    assert str(refused.value) == said


def test_a_frontend_that_is_not_enabled() -> None:
    with pytest.raises(UserError, match=r"invalid frontend: gateway\.v0"):
        Ours(["dockerfile.v0"]).solve(Request(frontend=IMAGE))
