"""Converts FROM: the base of a stage, and what the stage inherits from it."""

from __future__ import annotations

from pybuild.lang.convert import problems
from pybuild.lang.convert.expansion import Unknown, Variable
from pybuild.lang.convert.names import IDENTIFIER
from pybuild.lang.convert.values import StringExpression, Value, known, literal, operand, string, written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from pybuild.lang.convert.stage import Shared, Stage
    from pybuild.lang.dockerfile.instructions import Stage as DockerfileStage

SCRATCH: Final = "scratch"
_OWN_PLATFORMS: Final[Mapping[str, str]] = {
    "str(platform)": "platform",
    "str(build_platform)": "build_platform",
}


def start(stage: Stage, parsed: DockerfileStage) -> None:
    """Add the `from` statement. Raises SourceError."""
    shared = stage.shared
    environment = {**_platforms(), **shared.globals}
    unknown = Unknown(True, False, lambda text: stage.differs(text, parsed.span))
    base = shared.words.expand(parsed.base, environment, unknown, parsed.span)
    name = known(base)
    if name is not None and name in shared.stages:
        _from_stage(stage, shared.stages[name])
        stage.add(f"from {shared.stages[name].name}")
        return
    if name == SCRATCH:
        stage.add(f"from {SCRATCH}")
        return
    if not base:
        raise problems.not_expressible(
            f"the base {parsed.base}, which is empty", parsed.span, "give the argument a default"
        )
    platform = ""
    on: Value = ()
    if parsed.platform:
        on = shared.words.expand(parsed.platform, environment, unknown, parsed.span)
        platform = _platform(on)
    chosen = _chosen(shared, base)
    if chosen:
        others = [one for one in shared.stages.values() if one.name in chosen.split()]
        for other in others[:1]:
            _from_stage(stage, other)
        if not all(_alike(stage, other) for other in others):
            text = "what comes from the base is taken from the first of the stages it may be"
            stage.differs(text, parsed.span)
    else:
        _from_image(stage, base, known(on), parsed)
    stage.add(f"from {chosen or written(base)}{platform}")


def _platforms() -> dict[str, Variable]:
    from pybuild.lang.convert.arguments import PLATFORMS

    return {name: Variable(value) for name, value in PLATFORMS.items()}


def _platform(value: Value) -> str:
    """Return the `on` of a `from`."""
    if len(value) == 1 and isinstance(value[0], StringExpression):
        own = _OWN_PLATFORMS.get(value[0].code)
        if own == "platform":
            return ""
        if own is not None:
            return f" on {own}"
    return f" on {written(value)}"


def _from_stage(stage: Stage, base: Stage) -> None:
    """Inherit everything from another stage, arguments included; its triggers will be carried out."""
    stage.variables = dict(base.variables)
    stage.shell, stage.whole, stage.user = base.shell, base.whole, base.user
    stage.owners, stage.directories = base.owners, base.directories
    stage.cwd = base.cwd
    stage.base_triggers = tuple(base.triggers)


def _alike(one: Stage, other: Stage) -> bool:
    return (one.variables, one.shell, one.user) == (other.variables, other.shell, other.user)


def _from_image(stage: Stage, base: Value, platform: str | None, parsed: DockerfileStage) -> None:
    """Inherit what is known of an image. If arguments name it, it is the image of their defaults."""
    image = None
    reference = stage.shared.arguments.by_default(base)
    if reference is not None:
        image = stage.shared.surroundings.base(reference, platform or "")
    if image is not None and known(base) is None:
        stage.differs(f"what is known of the base image is what {reference} has", parsed.span)
    stage.owners = True
    if image is None:
        stage.whole, stage.user, stage.cwd = False, None, None
        if reference is not None and "onbuild" in reference:
            stage.differs("triggers of the base image aren't carried out", parsed.span)
        return
    for name, value in image.environment.items():
        native = IDENTIFIER.fullmatch(name) is not None
        stage.variables[name] = Variable(literal(value), image=native)
    stage.user, stage.cwd = image.user, literal(image.directory or "/")
    stage.base_triggers = image.triggers
    if image.shell:
        stage.shell = image.shell


def _chosen(shared: Shared, base: Value) -> str:
    """Return an expression that chooses a stage by the name of the base; "" if the base can't be a stage."""
    default = shared.arguments.by_default(base)
    plain = len(base) == 1 and default is not None and default not in shared.stages
    names = {} if plain else {name: one.name for name, one in shared.stages.items() if _may_be(base, name)}
    if default == SCRATCH:
        names[SCRATCH] = SCRATCH
    elif default in shared.stages:
        names[default] = shared.stages[default].name
    if not names:
        return ""
    tested = operand(written(base))
    cases = (f"{target} if {tested} == {string(name)} else " for name, target in names.items())
    return "".join(cases) + written(base)


def _may_be(base: Value, name: str) -> bool:
    """True if a value with one expression in it can be the name of a stage."""
    inserted = [piece for piece in base if isinstance(piece, StringExpression)]
    if len(inserted) != 1:
        return False
    place = base.index(inserted[0])
    before, after = known(base[:place]) or "", known(base[place + 1 :]) or ""
    fits = len(name) >= len(before) + len(after)
    return fits and name.startswith(before) and name.endswith(after)
