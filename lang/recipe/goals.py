"""What is asked for: instances of targets, one image each."""

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
    """`dest` is absolute, and keeps a trailing `/`. `always`: also when a statement failed."""

    sources: tuple[Source, ...]
    dest: str
    clean: bool = False
    always: bool = False
    span: Span | None = None


class Instance:
    """One instance of a target for one platform. `body.state` is its file system and config.

    `outputs`, `tags` and `needs` fill while the body is recorded; `secrets` are the ids that its runs mount."""

    __slots__ = ("body", "goal", "needs", "outputs", "platform", "tags")

    def __init__(self, goal: Goal, platform: str, body: Body) -> None:
        self.goal = goal
        self.platform = platform
        self.body = body
        self.tags: list[Tag] = []
        self.outputs: list[Output] = []
        self.needs: list[Goal] = []


def instance_title(name: str, axes: Iterable[tuple[str, str]]) -> str:
    """`name`, or `name[axis=value,…]`, as it may be written on a command line."""
    inside = ",".join(f"{axis}={_quoted(value)}" for axis, value in axes)
    return f"{name}[{inside}]" if inside else name


def _quoted(value: str) -> str:
    """The value of an axis, in double quotes where a comma or such a quote is in it."""
    if "," not in value and '"' not in value:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Goal:
    """An instance of a target for all platforms that it is asked for: one image, an index if they are several.

    `axes` are its values as texts; `name` is the target's, for one of a module `module.target`. `kind` is `target`
    or `test`. `span` is the header's."""

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
class Given:
    """The value of a param, as text, and where it comes from (`default`, `-p`, a file's name, …)."""

    value: str
    origin: str


@frozen(eq=False)
class Recipe:
    """`requested` are the goals that were asked for, in order; `needed` those that their gates ask for besides.
    `params` are the root file's that were read. `reads` are digests of files that the expansion read, by name;
    `modules` those of the module texts; `vcs` what was asked of the repository. `skipped` are titles of targets that
    were left out because of params that are not set, with these: only where every target was asked for."""

    requested: tuple[Goal, ...]
    needed: tuple[Goal, ...]
    params: Mapping[str, Given]
    reads: Mapping[str, str]
    modules: Mapping[str, str]
    vcs: Mapping[str, str]
    warnings: tuple[Diagnostic, ...] = ()
    skipped: tuple[tuple[str, tuple[str, ...]], ...] = ()
