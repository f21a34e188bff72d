"""Walks over the states of a recipe."""

from __future__ import annotations

from pybuild.lang import recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def states(of: recipe.Recipe) -> Iterator[recipe.State]:
    """Yield the states of all requested and needed goals, each once, a state before its inputs."""
    roots = [instance.body.state for goal in (*of.requested, *of.needed) for instance in goal.instances]
    # A stack instead of recursion: chains of states are as long as builds have steps.
    stack = [state for state in reversed(roots) if state is not None]
    seen: set[int] = set()
    while stack:
        state = stack.pop()
        if id(state) in seen:
            continue
        seen.add(id(state))
        yield state
        stack.extend(reversed(list(inputs(state))))


def inputs(state: recipe.State) -> Iterable[recipe.State]:
    """Return the states that a state is made from, the one it changes first."""
    if isinstance(state, recipe.Step):
        return (state.before, *statement_inputs(state.statement))
    if isinstance(state, recipe.Start):
        return (state.base,)
    if isinstance(state, recipe.Built):
        return () if state.body.state is None else (state.body.state,)
    if isinstance(state, recipe.Merge):
        return state.states
    if isinstance(state, recipe.Diff):
        return (state.lower, state.upper)
    if isinstance(state, recipe.Mounted):
        return (state.step,)
    if isinstance(state, recipe.Dockerfile):
        return (state.context, *state.contexts.values())
    if isinstance(state, recipe.Frontend):
        return tuple(state.inputs.values())
    return ()


def statement_inputs(statement: recipe.Statement) -> Iterable[recipe.State]:
    """Return the states that a statement reads besides the one it changes."""
    if isinstance(statement, recipe.Copy):
        return (statement.source,)
    if isinstance(statement, recipe.Run | recipe.Exec | recipe.Call):
        return tuple(state for option in statement.options if (state := _mounted(option)) is not None)
    return ()


def _mounted(option: recipe.Option) -> recipe.State | None:
    if isinstance(option, recipe.BindMount):
        return option.state
    return option.seed if isinstance(option, recipe.CacheMount) else None
