"""The states and bodies reachable from a state, found iteratively, as chains are long."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import fields, has

from pybuild.lang import recipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pybuild.lang.textual.expand.bodies import Record

_FIELDS: dict[type, tuple[str, ...]] = {}


def bodies_in(state: recipe.State | None) -> Iterator[recipe.Body]:
    """Yield the bodies that a state refers to directly, each once."""
    seen: set[int] = set()
    stack: list[object] = [state]
    while stack:
        value = stack.pop()
        if isinstance(value, recipe.Built):
            if id(value.body) not in seen:
                seen.add(id(value.body))
                yield value.body
        elif isinstance(value, tuple):
            stack.extend(reversed(value))
        elif isinstance(value, Mapping):
            stack.extend(value.values())
        elif id(value) not in seen:
            if isinstance(value, recipe.State):
                seen.add(id(value))
            stack.extend(_parts(value))


def _parts(one: object) -> Iterator[object]:
    kind = type(one)
    names = _FIELDS.get(kind)
    if names is None:
        attributes = fields(kind) if has(kind) else ()
        names = _FIELDS[kind] = tuple(
            field.name for field in attributes if field.name not in ("span", "body")
        )
    for name in names:
        value = getattr(one, name)
        if not isinstance(value, str | int | bytes | None):
            yield value


def unset_params(
    goals: Iterable[recipe.Goal], records: Mapping[recipe.Body, Record]
) -> dict[recipe.Goal, tuple[str, ...]]:
    """Return the unset params that each goal reads, in its own bodies and in all bodies that they depend on or
    wait for."""
    users: dict[recipe.Body, list[recipe.Body]] = {}
    for body, record in records.items():
        gates = (instance.body for gate in record.gates or () for instance in gate.instances)
        for used in (*bodies_in(body.state), *gates):
            users.setdefault(used, []).append(body)
    lacking: dict[recipe.Body, dict[str, None]] = {body: {} for body in records}
    for body, record in records.items():
        for param in record.unset:
            stack = [body]
            while stack:
                current = stack.pop()
                if param not in lacking[current]:
                    lacking[current][param] = None
                    stack.extend(users.get(current, ()))
    return {
        goal: tuple(dict.fromkeys(name for instance in goal.instances for name in lacking[instance.body]))
        for goal in goals
    }
