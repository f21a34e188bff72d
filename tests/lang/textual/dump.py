"""A recipe as text that people can read: goals, then each body that they reach with a line for each statement.

goal image[name=api] linux/amd64 linux/arm64
  needs unit[name=api,db=sqlite]
  tag ghcr.io/acme/api:dev
body image[name=api]
  from node.service(…)
  expose 8080/tcp
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pybuild.lang import recipe


def dump(made: recipe.Recipe) -> str:
    lines = [*_goals("goal", made.requested), *_goals("needed", made.needed)]
    for body in _bodies(made):
        lines.append(f"body {body.title}")
        lines += [f"  {line}" for line in dump_state(body.state)]
    lines += [f"param {name} = {given.value} ({given.origin})" for name, given in made.params.items()]
    lines += [f"skipped {title}: {', '.join(params)}" for title, params in made.skipped]
    lines += [f"{one.code} {one.span.line if one.span else 0}" for one in made.warnings]
    return "\n".join(lines) + "\n"


def _goals(word: str, goals: tuple[recipe.Goal, ...]) -> Iterator[str]:
    for goal in goals:
        kind = " (test)" if goal.kind == "test" else ""
        yield f"{word} {goal.title}{kind} {' '.join(instance.platform for instance in goal.instances)}"
        first = goal.instances[0]
        for needed in first.needs:
            yield f"  needs {needed.title}"
        for instance in goal.instances:
            for tag in instance.tags:
                yield f"  tag {tag.name}"
            for output in instance.outputs:
                options = "".join(f" {name}" for name in ("clean", "always") if getattr(output, name))
                yield f"  output {_sources(output.sources)} to {output.dest}{options}"


def _bodies(made: recipe.Recipe) -> list[recipe.Body]:
    """Every body that the goals reach, in the order in which it is first reached."""
    found: dict[recipe.Body, None] = {}
    goals = (*made.requested, *made.needed)
    waiting = [instance.body for goal in reversed(goals) for instance in reversed(goal.instances)]
    while waiting:
        body = waiting.pop()
        if body not in found:
            found[body] = None
            waiting.extend(reversed(list(_used(body.state))))
    return list(found)


def _used(state: recipe.State | None) -> Iterator[recipe.Body]:
    for one in chain(state):
        for part in _parts(one):
            if isinstance(part, recipe.Built):
                yield part.body
            elif not isinstance(part, recipe.Start | recipe.Step):
                yield from _used(part)


def chain(state: recipe.State | None) -> list[recipe.State]:
    """The states of a body from its start on."""
    out: list[recipe.State] = []
    while state is not None:
        out.append(state)
        state = state.before if isinstance(state, recipe.Step) else None
    return out[::-1]


def _parts(state: recipe.State) -> Iterator[recipe.State]:
    if isinstance(state, recipe.Built):
        yield state
    elif isinstance(state, recipe.Start):
        yield state.base
    elif isinstance(state, recipe.Merge):
        yield from state.states
    elif isinstance(state, recipe.Diff):
        yield from (state.lower, state.upper)
    elif isinstance(state, recipe.Dockerfile):
        yield from (state.context, *state.contexts.values())
    elif isinstance(state, recipe.Step):
        statement = state.statement
        if isinstance(statement, recipe.Copy):
            yield statement.source
        for option in getattr(statement, "options", ()):
            if isinstance(option, recipe.BindMount):
                yield option.state
            elif isinstance(option, recipe.CacheMount) and option.seed is not None:
                yield option.seed


def dump_state(state: recipe.State | None) -> list[str]:
    """A line for each state of a body."""
    lines = []
    for one in chain(state):
        if isinstance(one, recipe.Start):
            on = f" on {one.platform}" if one.platform != one.body.platform else ""
            lines.append(f"from {shown(one.base)}{on}")
        elif isinstance(one, recipe.Step):
            lines.append(_statement(one.statement))
        else:
            made = [part for part in _parts(one) if isinstance(part, recipe.Start | recipe.Step)]
            lines += dump_state(max(made, key=lambda part: len(chain(part)))) if made else []
            lines.append(f"is {shown(one)}")
    return lines or ["(nothing)"]


def shown(state: recipe.State | None) -> str:
    """A state in a few words."""
    match state:
        case recipe.Built():
            return state.body.title
        case recipe.Image():
            return f"{state.ref} {state.platform}"
        case recipe.Directory():
            return state.name
        case recipe.Merge():
            return f"merge({', '.join(map(shown, state.states))})"
        case recipe.Diff():
            return f"diff({shown(state.lower)}, {shown(state.upper)})"
        case recipe.Git():
            return f"git({state.url}, {state.ref})"
        case recipe.Http():
            return f"http({state.url})"
        case recipe.Step() | recipe.Start():
            return f"this@{len(chain(state))}"
    return type(state).__name__.lower()


def _statement(one: recipe.Statement) -> str:
    match one:
        case recipe.Run():
            text = "".join(part if isinstance(part, str) else _splice(part) for part in one.script)
            return (
                f"run {text!r}{_options(one.options)}" if one.block else f"run {text}{_options(one.options)}"
            )
        case recipe.Exec():
            return f"exec {list(one.args)}{_options(one.options)}"
        case recipe.Copy():
            return f"copy {_sources(one.sources)} from {shown(one.source)} to {one.dest}{_rest(one, 3)}"
        case recipe.Write():
            return f"write {one.data.decode()!r} to {one.dest}{_rest(one, 2)}"
        case recipe.Workdir():
            return f"workdir {_template(one.path)}"
        case recipe.Env():
            return f"env {_pairs((name, _template(value)) for name, value in one.values)}"
        case recipe.Labels() | recipe.Annotations():
            return f"{type(one).__name__.lower()} {_pairs(one.values)}"
    values = [_plain(getattr(one, name), name) for name in one.__match_args__]
    return " ".join([type(one).__name__.lower(), *(value for value in values if value)])


def _splice(part: recipe.Splice) -> str:
    value = part.value if isinstance(part.value, str) else "|".join(part.value)
    return f"‹{value}{' raw' if part.raw else ''}›"


def _template(template: recipe.Template) -> str:
    return "".join(part if isinstance(part, str) else f"«{part.name}»" for part in template)


def _pairs(values: object) -> str:
    assert not isinstance(values, Mapping)
    return " ".join(f"{name}={value}" for name, value in values)  # type: ignore[attr-defined]


def _sources(sources: tuple[recipe.Source, ...]) -> str:
    return " ".join(source.path for source in sources)


def _rest(one: recipe.Statement, skipped: int) -> str:
    """Attributes that aren't their default."""
    out = ""
    for field in one.__attrs_attrs__[skipped:]:
        value = getattr(one, field.name)
        if value != field.default:
            out += f" {field.name}={_plain(value, field.name)}"
    return out


def _options(options: tuple[recipe.Option, ...]) -> str:
    return "".join(f" +{_option(option)}" for option in options)


def _option(option: recipe.Option) -> str:
    match option:
        case recipe.CacheMount():
            return f"cache({option.path} {option.sharing})"
        case recipe.BindMount():
            return f"bind({shown(option.state)} {option.at})"
        case recipe.SecretMount():
            return f"secret({option.id} {option.env or option.at})"
        case recipe.RunEnv():
            return f"env({_pairs((name, _template(value)) for name, value in option.values)})"
    names = [field.name for field in option.__attrs_attrs__ if field.name != "span"]
    return f"{type(option).__name__.lower()}({' '.join(_plain(getattr(option, name)) for name in names)})"


def _plain(value: object, name: str = "") -> str:
    if isinstance(value, tuple):
        return str([_plain(one) for one in value])
    if value is None or value is False:
        return ""
    return oct(value) if name == "mode" and isinstance(value, int) else str(value)
