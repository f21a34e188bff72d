"""Scopes and what fits where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.source import Source, Span
from pybuild.lang.textual import types
from pybuild.lang.textual.check.exports import ModuleTypes
from pybuild.lang.textual.check.scope import Binding, Scope, broken
from pybuild.lang.textual.check.wanted import FROM, Expectation, fits, is_state_like, join
from pybuild.lang.textual.types import (
    ERROR,
    INT,
    PATH,
    REF,
    STATE,
    STR,
    TARGET,
    ListOf,
    Literals,
    MapOf,
    Type,
)

SOURCE = Source("x", "abc")


def _span(column: int = 1) -> Span:
    return Span(SOURCE, 1, column, 1, column + 1)


def _binding(name: str, kind: str, column: int = 1) -> Binding:
    return Binding(name, kind, STR, _span(column))


def _codes(scope: Scope, *bindings: Binding) -> list[str | None]:
    said: list[Diagnostic] = []
    for binding in bindings:
        scope.bind(binding, said.append)
    return [one.code for one in said]


def test_what_is_bound_twice_is_reported_each_time_and_broken() -> None:
    scope = Scope()
    said: list[Diagnostic] = []
    first = _binding("a", "let", 1)
    for binding in (first, _binding("a", "param", 2), _binding("a", "target", 3)):
        scope.bind(binding, said.append)
    assert [one.code for one in said] == ["E0202"] * 2
    assert all(one.labels[1].span == first.span for one in said)
    found = scope.lookup("a")
    assert found is not None
    assert found.kind == "broken"
    assert first.used


def test_a_shadow_means_what_is_bound_inside() -> None:
    scope = Scope()
    outer, inner = _binding("a", "let"), _binding("a", "loop")
    assert _codes(scope, outer) == []
    below = scope.child()
    assert _codes(below, inner) == ["E0202"]
    assert below.lookup("a") is inner
    assert scope.lookup("a") is outer


def test_declarations_share_no_name_across_spaces() -> None:
    assert _codes(Scope(), _binding("a", "let"), _binding("a", "def")) == ["E0202"]


def test_bodies_may() -> None:
    scope = Scope()
    assert _codes(scope, _binding("names", "def")) == []
    assert _codes(scope.child(), _binding("names", "parameter")) == []


def test_outer_names_are_not_shadowed() -> None:
    scope = Scope()
    assert _codes(scope, _binding("a", "let")) == []
    assert _codes(scope.child().child(), _binding("a", "loop")) == ["E0202"]


def test_siblings_are_apart() -> None:
    scope = Scope()
    assert _codes(scope.child(), _binding("a", "let")) == []
    assert _codes(scope.child(), _binding("a", "let")) == []
    assert scope.lookup("a") is None


def test_reserved_names() -> None:
    values = [_binding(name, "let") for name in ("scratch", "context", "this", "platform", "vcs")]
    assert _codes(Scope(), *values) == ["E0203"] * 5
    words = (_binding("run", "def"), _binding("tag", "module"), _binding("copy", "let"))
    assert _codes(Scope(), *words) == ["E0203"] * 2


def test_a_broken_declaration_is_found_in_both_spaces_and_is_no_second_mistake() -> None:
    scope = Scope()
    assert _codes(scope, broken("a", _span()), _binding("a", "let"), broken("scratch", _span())) == []
    assert scope.lookup("a") is scope.lookup_callable("a") is not None


def test_uses_are_marked() -> None:
    scope = Scope()
    one, two = _binding("a", "let"), _binding("b", "def")
    _codes(scope, one, two)
    assert scope.find("a") is one
    assert not one.used
    scope.child().lookup("a")
    scope.lookup_callable("b")
    assert one.used
    assert two.used
    assert scope.lookup("b") is None


def test_names_by_kind() -> None:
    scope = Scope()
    _codes(scope, _binding("a", "let"), _binding("b", "def"), broken("c", _span()))
    inner = scope.child()
    _codes(inner, _binding("d", "loop"))
    assert [one.name for one in inner.names()] == ["d", "a", "b"]
    assert [one.name for one in inner.names("def", "let")] == ["a", "b"]


def test_members_of_a_module() -> None:
    scope = Scope()
    _codes(
        scope,
        _binding("b", "def", 3),
        _binding("a", "let", 2),
        _binding("_c", "param", 1),
        _binding("m", "module"),
    )
    module = ModuleTypes("x", scope)
    assert [one.name for one in module.members()] == ["a", "b"]
    assert module.member("_c") is not None
    assert module.member("m") is None
    assert module.member("nothing") is None


LEAVES: list[Type] = [*types.NAMED.values(), Literals(("a", "b")), Literals(("b", "c")), ERROR]
TYPES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(st.builds(ListOf, inner), st.builds(MapOf, inner)),
    max_leaves=3,
)


@given(TYPES, TYPES)
def test_what_is_joined_goes_with_both(one: Type, other: Type) -> None:
    joined = join(one, other)
    if joined is not None:
        assert fits(joined, one)
        assert fits(joined, other)
        assert (join(other, one) is None) is False


@given(TYPES)
def test_a_type_fits_itself(one: Type) -> None:
    assert fits(one, one)
    assert join(one, one) == one
    assert fits(one, ERROR)


@given(TYPES, TYPES)
def test_what_fits_is_accepted_alone_and_in_lists(wanted: Type, given: Type) -> None:
    assert (Expectation(wanted).accepting(given) is not None) == fits(wanted, given)
    if fits(wanted, given):
        assert Expectation(wanted, several=True).accepting(ListOf(given)) is not None


def test_states() -> None:
    assert all(is_state_like(one) for one in (STATE, TARGET, STR, REF, Literals(("a",))))
    assert not any(is_state_like(one) for one in (PATH, INT, ListOf(STATE)))
    assert fits(STATE, TARGET)
    assert not fits(TARGET, STATE)
    assert not fits(STATE, STR)
    assert FROM.accepting(STR) == STATE


def test_what_is_wanted_is_named() -> None:
    assert str(Expectation(STR)) == "`str`"
    assert str(Expectation(INT, (STR,))) == "`int` or `str`"
    assert str(Expectation(TARGET, several=True)) == "`target` or a list of it"
