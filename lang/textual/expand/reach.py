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
        one = stack.pop()
        if isinstance(one, recipe.Built):
            if id(one.body) not in seen:
                seen.add(id(one.body))
                yield one.body
        elif isinstance(one, tuple):
            stack.extend(reversed(one))
        elif isinstance(one, Mapping):
            stack.extend(one.values())
        elif id(one) not in seen:
            if isinstance(one, recipe.State):
                seen.add(id(one))
            stack.extend(_parts(one))


def _parts(one: object) -> Iterator[object]:
    kind = type(one)
    names = _FIELDS.get(kind)
    if names is None:
        found = fields(kind) if has(kind) else ()
        names = _FIELDS[kind] = tuple(field.name for field in found if field.name not in ("span", "body"))
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
                one = stack.pop()
                if param not in lacking[one]:
                    lacking[one][param] = None
                    stack.extend(users.get(one, ()))
    return {
        goal: tuple(dict.fromkeys(name for instance in goal.instances for name in lacking[instance.body]))
        for goal in goals
    }
