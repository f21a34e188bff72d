"""The requested instances of targets, one image each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.diagnostics import Diagnostic
    from pybuild.lang.recipe.statements import Source
    from pybuild.lang.recipe.states import Body
    from pybuild.lang.source import Span


@frozen(eq=False)
class Tag:
    name: str
    span: Span | None = None


@frozen(eq=False)
class Output:
    """Files to export. `dest` is absolute and keeps a trailing `/`. With `always` they are exported even if a
    statement failed."""

    sources: tuple[Source, ...]
    dest: str
    clean: bool = False
    always: bool = False
    span: Span | None = None


class Instance:
    """The instance of a target for one platform. `body.state` is its file system and config.

    `outputs`, `tags` and `needs` are filled while the body is recorded."""

    __slots__ = ("body", "goal", "needs", "outputs", "platform", "tags")

    def __init__(self, goal: Goal, platform: str, body: Body) -> None:
        self.goal = goal
        self.platform = platform
        self.body = body
        self.tags: list[Tag] = []
        self.outputs: list[Output] = []
        self.needs: list[Goal] = []


def instance_title(name: str, axes: Iterable[tuple[str, str]]) -> str:
    """Return `name`, or `name[axis=value,…]`: the instance as a command line selects it."""
    inside = ",".join(f"{axis}={_quoted(value)}" for axis, value in axes)
    return f"{name}[{inside}]" if inside else name


def _quoted(value: str) -> str:
    """Quote an axis value with double quotes if it contains a comma or a double quote."""
    if "," not in value and '"' not in value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Goal:
    """An instance of a target on all its platforms: one image, or an index for several platforms.

    `axes` are the axis values as text. `name` is the target's name, or `module.target` for a target of a module.
    `kind` is `target` or `test`. `span` is the target's header."""

    __slots__ = ("axes", "doc", "instances", "kind", "name", "span")

    def __init__(
        self, name: str, kind: str, axes: tuple[tuple[str, str], ...], doc: str = "", span: Span | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self.axes = axes
        self.doc = doc
        self.span = span
        self.instances: list[Instance] = []

    @property
    def title(self) -> str:
        return instance_title(self.name, self.axes)


@frozen
class ParamSetting:
    """The value of a param as text, and its origin (`default`, `-p`, a file name, …)."""

    value: str
    origin: str


@frozen(eq=False)
class Recipe:
    """All goals of a build, and the inputs that the expansion read.

    `requested` are the goals that were asked for, in order; `needed` are the further goals of their `needs`.
    `params` are the root file's params that were read. `reads` holds the digests of files read by the expansion,
    by name; `modules` those of module texts; `vcs` the answers about the repository. `skipped` pairs the titles of
    targets left out with the unset params that they need; only a build of all targets leaves any out."""

    requested: tuple[Goal, ...]
    needed: tuple[Goal, ...]
    params: Mapping[str, ParamSetting]
    reads: Mapping[str, str]
    modules: Mapping[str, str]
    vcs: Mapping[str, str]
    warnings: tuple[Diagnostic, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()
