"""`t`, the argument of the functions of targets, tests, states and steps.

Its methods are the statements of the language (language spec, section 9) with the same names and options.
"""

from __future__ import annotations

from contextlib import contextmanager

from pybuild.lang.python import problems
from pybuild.lang.python.calls import statement_options
from pybuild.lang.python.expressions import Option, State
from pybuild.lang.python.literals import literal, string
from pybuild.lang.python.names import variable
from pybuild.lang.python.recording import wrong
from pybuild.lang.python.scripts import script
from pybuild.lang.textual import tree
from pybuild.lang.textual.expand.values import Platform
from pybuild.lang.textual.types import PLATFORM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Literal, ParamSpec

    from pybuild.lang.python.callsite import Site
    from pybuild.lang.python.functions import ReturnValue
    from pybuild.lang.python.quantities import Duration
    from pybuild.lang.python.recording import Recording
    from pybuild.lang.python.targets import Group
    from pybuild.lang.source import Span

    P = ParamSpec("P")

    Paths = str | Sequence[str]
    Scalar = str | int | bool


class StateBuilder:
    """Collects the statements of one body for one platform. It can't be used after its function has returned."""

    def __init__(self, recording: Recording, name: str, platform: str) -> None:
        self._recording = recording
        self._name = name
        self._statements: list[tree.Stmt] = []
        self._blocks = [self._statements]
        self._ended = False
        self._waiting: list[Span] = []
        self._bound = 0
        self._platform = Platform(platform)

    def __repr__(self) -> str:
        return f"<body of {self._name} for {self._platform}>"

    def _here(self) -> Site:
        """Return the user's call that is running. Raises SourceError if the body has ended."""
        from pybuild.lang.python.callsite import caller

        site = self._recording.files.site(caller())
        if self._ended:
            raise wrong(problems.ended(site.span, self._name))
        return site

    def _add(self, statement: tree.Stmt) -> None:
        self._blocks[-1].append(statement)

    # Values of the body

    @property
    def platform(self) -> Platform:
        """The platform that is built for, with its parts as `os`, `arch` and `variant`."""
        return self._platform

    @property
    def build_platform(self) -> Platform:
        """The platform that builds."""
        return Platform(self._recording.options.build_platform)

    @property
    def this(self) -> State:
        """The state after the statements so far."""
        site = self._here()
        self._bound += 1
        name = f"this_{self._bound}"
        # A `let` must not hide a declaration of the module.
        while name in self._recording.declared:
            name += "_"
        self._add(tree.Let(site.span, tree.Ident(site.span, name), tree.Name(site.span, "this")))
        return This(tree.Name(site.span, name), self)

    # File system

    def from_(self, state: State | str, *, on: str | None = None) -> None:
        """Start from a state, a target, or the image of a reference. With `on` its steps run as that platform."""
        site = self._here()
        platform = None if on is None else literal(on, site.named("on"), PLATFORM)
        self._add(tree.From(site.span, literal(state, site.positional(0)), platform, ()))

    def run(self, script_: str | object, /, **values: object) -> None:
        """Run a script in the shell: `t.run("echo ${{word}}", word=word)`.

        Values of `${{name}}` are quoted for their place, lists become words. A text of several lines is one script
        that stops at the first failure; if it begins with `#!`, that program runs it. Template strings of Python 3.14
        (`t"echo {word}"`) work as well.
        """
        site = self._here()
        self._add(tree.Run(site.span, script(script_, values, site)))

    def exec(self, command: Sequence[str]) -> None:
        """Run a program with its arguments, without a shell."""
        site = self._here()
        self._add(tree.Exec(site.span, literal(command, site.positional(0), plain=True)))

    def copy(
        self,
        *sources: Paths,
        to: str,
        from_: State | str | None = None,
        owner: str | None = None,
        mode: int | str | None = None,
        exclude: Sequence[str] | None = None,
        parents: bool = False,
        follow: bool = False,
        optional: bool = False,
        unpack: bool = False,
        link: bool = False,
    ) -> None:
        """Copy files and directories from the build module's directory, or from the state `from_`.

        `to` ends with `/` if it is a directory to copy into. `exclude` are patterns of `.dockerignore`.
        """
        site = self._here()
        options = statement_options(
            "copy",
            {
                "owner": owner,
                "mode": mode,
                "exclude": exclude,
                "parents": parents or None,
                "follow": follow or None,
                "optional": optional or None,
                "unpack": unpack or None,
                "link": link or None,
            },
            site,
        )
        state = None if from_ is None else literal(from_, site.named("from_"))
        self._add(
            tree.Copy(site.span, self._items(sources, site), state, literal(to, site.named("to")), options)
        )

    def write(self, text: str, *, to: str, owner: str | None = None, mode: int | str | None = None) -> None:
        """Write a file with this text."""
        site = self._here()
        options = statement_options("write", {"owner": owner, "mode": mode}, site)
        content = literal(text, site.positional(0), plain=True)
        self._add(tree.Write(site.span, content, literal(to, site.named("to")), options))

    def mkdir(self, *paths: Paths, owner: str | None = None, mode: int | str | None = None) -> None:
        """Make directories and their parents."""
        site = self._here()
        options = statement_options("mkdir", {"owner": owner, "mode": mode}, site)
        self._add(tree.Mkdir(site.span, (*self._arguments(paths, site), *options)))

    def remove(self, *paths: Paths, optional: bool = False) -> None:
        """Remove files and directories. With `optional` they may be missing."""
        site = self._here()
        options = statement_options("remove", {"optional": optional or None}, site)
        self._add(tree.Remove(site.span, (*self._arguments(paths, site), *options)))

    def symlink(self, target: str, *, to: str, owner: str | None = None) -> None:
        """Make a symlink at `to` that points to `target`."""
        site = self._here()
        options = statement_options("symlink", {"owner": owner}, site)
        leads = literal(target, site.positional(0))
        self._add(tree.Symlink(site.span, leads, literal(to, site.named("to")), options))

    def call(self, function: Callable[..., object], /, *args: object, **kwargs: object) -> ReturnValue:
        """Run a Python function in the container, whose image has `python3`: `t.call(render, "page", size=2)`.

        The functions, classes and constants of the project that it uses are sent along. Arguments and the returned
        value are data: JSON types, tuples, sets, bytes, dates, paths, enums, dataclasses and attrs objects. The
        returned value can be an argument of later calls of this body. What the function prints is the step's output,
        an exception fails the step and shows the places in your files, and the files it writes are the step's result.
        The step runs again when the code it uses or an argument changes.
        """
        from pybuild.lang.python.functions import CallStep, capture, payload

        site, recording = self._here(), self._recording
        project = recording.options.project
        texts, modules = recording.files.texts(), recording.modules
        captured = capture(function, project, texts=texts, modules=modules, span=site.positional(0))

        def span(key: int | str) -> Span:
            return site.named(key) if isinstance(key, str) else site.positional(key + 1)

        step = CallStep(payload(captured, args, kwargs, spans=span), site.span)
        self._add(tree.Ready(site.span, step))
        return step.value

    # Config and environment

    def env(self, values: Mapping[str, Scalar] | None = None, /, **named: Scalar) -> None:
        """Set environment variables. `$X` in a value is the variable of the image, if it is set."""
        site = self._here()
        if values is not None:
            self._add(tree.EnvMap(site.span, literal(mapping(values, site), site.positional(0))))
        if named:
            assignments = tuple(
                tree.Argument(
                    site.named(name),
                    variable(tree.Ident(site.keyword(name), name)),
                    literal(one, site.named(name)),
                )
                for name, one in named.items()
            )
            self._add(tree.Env(site.span, assignments))

    def workdir(self, path: str) -> None:
        """Set and make the working directory of later runs and of the image. `$X` is the variable of the image."""
        self._simple("workdir", (path,))

    def user(self, name: str) -> None:
        """Set the user of later runs and of the image: a name or a number, perhaps with `:group`."""
        self._simple("user", (name,))

    def shell(self, command: Sequence[str]) -> None:
        """Set the shell of later runs (default: `["/bin/sh", "-e", "-c"]`)."""
        self._simple("shell", (command,), plain=True)

    def label(self, values: Mapping[str, Scalar]) -> None:
        """Set labels of the image."""
        self._labels("label", values)

    def annotation(self, values: Mapping[str, Scalar]) -> None:
        """Set annotations of the image's manifest."""
        self._labels("annotation", values)

    def expose(self, *ports: int | str | Sequence[int | str]) -> None:
        """Declare ports: `8080`, `"53/udp"`."""
        self._simple("expose", ports)

    def volume(self, *paths: Paths) -> None:
        """Declare volumes."""
        self._simple("volume", paths)

    def entrypoint(self, command: Sequence[str]) -> None:
        """Set the program that the image runs, and drop an inherited `cmd`."""
        self._simple("entrypoint", (command,), plain=True)

    def cmd(self, command: Sequence[str]) -> None:
        """Set the image's command, or the arguments of its entrypoint."""
        self._simple("cmd", (command,), plain=True)

    def stop_signal(self, name: str | int) -> None:
        """Set the signal that stops the image's containers."""
        self._simple("stop_signal", (name,))

    def healthcheck(
        self,
        command: Sequence[str] | Literal["none"],
        *,
        interval: Duration | str | None = None,
        timeout: Duration | str | None = None,
        start_period: Duration | str | None = None,
        start_interval: Duration | str | None = None,
        retries: int | None = None,
    ) -> None:
        """Set the program that checks a container's health, or `"none"`."""
        site = self._here()
        options = statement_options(
            "healthcheck",
            {
                "interval": interval,
                "timeout": timeout,
                "start_period": start_period,
                "start_interval": start_interval,
                "retries": retries,
            },
            site,
        )
        words = literal(command, site.positional(0), plain=True)
        self._add(tree.Healthcheck(site.span, words, options))

    # Exports

    def tag(self, *names: Paths) -> None:
        """Name the image."""
        self._simple("tag", names)

    def output(self, *sources: Paths, to: str, clean: bool = False, always: bool = False) -> None:
        """Export files into the project.

        With `clean` the destination is emptied first; with `always` the files are exported even if a step failed.
        """
        site = self._here()
        options = statement_options("output", {"clean": clean or None, "always": always or None}, site)
        self._add(tree.Output(site.span, self._items(sources, site), literal(to, site.named("to")), options))

    def needs(self, *targets: State | Group | Sequence[State | Group]) -> None:
        """Build other targets and tests as well: this target is exported only if they succeed."""
        self._simple("needs", targets)

    # Blocks, functions

    def using(self, *options: Option | Sequence[Option]) -> AbstractContextManager[None]:
        """Apply run options to the runs in the block: `with t.using(pb.cache("/root/.cache")):`"""
        site = self._here()
        # Removed again when the block is entered, so what is left was called without `with`.
        self._waiting.append(site.span)
        return self._block(site.span, self._items(options, site))

    @contextmanager
    def _block(self, span: Span, options: tuple[tree.Expr, ...]) -> Iterator[None]:
        """Collect the statements of a `with` block."""
        body: list[tree.Stmt] = []
        self._waiting.remove(span)
        self._blocks.append(body)
        try:
            yield
        finally:
            self._blocks.pop()
            self._add(tree.With(span, options, tuple(body)))

    def return_(self, state: State) -> None:
        """End the body of a state function with another state; `return state` does the same."""
        site = self._here()
        self._add(tree.Return(site.span, literal(state, site.positional(0))))

    # For the rest of the package

    def _simple(self, keyword: str, items: Sequence[object], *, plain: bool = False) -> None:
        site = self._here()
        self._add(tree.Simple(site.span, keyword, self._arguments(items, site, plain=plain)))

    def _labels(self, keyword: str, values: Mapping[str, Scalar]) -> None:
        site = self._here()
        span = site.positional(0)
        pairs = tuple(
            tree.Pair(span, string(key, span, plain=True), literal(value, site.entry(0, key), plain=True))
            for key, value in mapping(values, site).items()
        )
        if pairs:
            self._add(tree.Label(site.span, keyword, pairs))

    def _items(self, items: Sequence[object], site: Site) -> tuple[tree.Expr, ...]:
        return tuple(literal(one, site.positional(at)) for at, one in enumerate(items))

    def _arguments(
        self, items: Sequence[object], site: Site, *, plain: bool = False
    ) -> tuple[tree.Argument, ...]:
        return tuple(
            tree.Argument(site.positional(at), None, literal(one, site.positional(at), plain=plain))
            for at, one in enumerate(items)
        )

    def _end(self) -> tuple[tree.Stmt, ...]:
        """Return the statements and close the body. Raises SourceError (E0406) for run options without a block."""
        self._ended = True
        if self._waiting:
            raise wrong(problems.not_entered(self._waiting[0]))
        return tuple(self._statements)


def mapping(values: object, site: Site) -> dict[str, object]:
    """Check that `values` is a dict with string keys, and return a copy. Raises SourceError (E0301)."""
    from collections.abc import Mapping

    span = site.positional(0)
    if not isinstance(values, Mapping):
        raise wrong(problems.no_map(span, type(values).__name__))
    for key in values:
        if not isinstance(key, str):
            help = "the keys of a map are strings"
            raise wrong(problems.no_value(span, f"dict with keys of {type(key).__name__}", help))
    return dict(values)


class This(State):
    """The state after the statements of a body so far; it can't be used in another body."""

    __slots__ = ("_builder",)

    def __init__(self, node: tree.Expr, builder: StateBuilder) -> None:
        super().__init__(node)
        self._builder = builder

    def at(self, span: Span) -> tree.Expr:
        if self._builder._ended:
            raise wrong(problems.elsewhere(span, self._builder._name))
        return self._node


def call_step(builder: StateBuilder, expr: tree.Call) -> None:
    """Add the call of a step of a textual module."""
    builder._here()
    builder._add(tree.CallStmt(expr.span, expr))
