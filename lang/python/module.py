"""Runs a build module: its file as a Python module, once for each compile, in this process.

It runs like any script: `__file__` is set, and its directory is on the import path. What it prints goes to standard
error, no byte code is written next to it, and modules of the project that it imports are its own: another run imports
them anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tokenize
from types import ModuleType

from pybuild.lang.python import failures
from pybuild.lang.python.recording import Recording, at_work
from pybuild.lang.source import Span
from pybuild.lang.textual import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pybuild.lang.source import Source
    from pybuild.lang.textual import modules
    from pybuild.lang.textual.expand.options import ExpandOptions, World
    from pybuild.lang.textual.parse import Parsed


def run(
    found: modules.ModuleText,
    filename: str,
    library: modules.Library,
    options: ExpandOptions,
    world: World,
    parse: Callable[[Source], Parsed],
) -> Recording:
    """Run the module with the text of `found` and the absolute path `filename`. Raises SourceError.

    `parse` parses the textual modules that it uses.
    """
    recording = Recording(found, library, options, world, parse)
    recording.files.add(filename, found.source)
    name = os.path.basename(filename).removesuffix(".py")
    surroundings = Surroundings(os.path.dirname(filename), options.project)
    recording.surroundings, recording.modules = surroundings, surroundings.modules
    with at_work(recording), surroundings(), failures.explained(recording, name):
        # `dont_inherit`: the `__future__` imports of this file are not the module's.
        code = compile(found.source.text, filename, "exec", dont_inherit=True)
        module = ModuleType(name)
        module.__file__ = filename
        if name not in sys.modules:  # its name may be that of a module that others need, such as types.py
            sys.modules[name] = module
        exec(code, module.__dict__)
    recording.ended = True
    recording.comments = comments(found.source)
    return recording


class Surroundings:
    """The environment of a build module while its code runs.

    Its directory is on the import path, the modules of the project that it has imported (`modules`, itself included)
    are in `sys.modules`, and what it prints goes to standard error.
    """

    def __init__(self, directory: str, project: str) -> None:
        self._directory = directory
        self._project = project
        self.modules: dict[str, ModuleType] = {}

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        path, written, known = sys.path[:], sys.dont_write_bytecode, dict(sys.modules)
        sys.path.insert(0, self._directory)
        sys.dont_write_bytecode = True
        sys.modules.update(self.modules)
        try:
            with contextlib.redirect_stdout(sys.stderr), _output_to_errors():
                yield
        finally:
            sys.path[:] = path
            sys.dont_write_bytecode = written
            for name, module in list(sys.modules.items()):
                if known.get(name) is not module and _inside(module, self._project):
                    self.modules[name] = module
                    _restore(name, known)


@contextlib.contextmanager
def _output_to_errors() -> Iterator[None]:
    """Send the output of programs that the module starts to standard error: standard output is for results alone."""
    try:
        # The process may have no standard output.
        stdout = os.dup(1)
    except OSError:
        yield
        return
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def _restore(name: str, known: dict[str, ModuleType]) -> None:
    if name in known:
        sys.modules[name] = known[name]
    else:
        del sys.modules[name]


def _inside(module: ModuleType, project: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.abspath(file).startswith(project.rstrip("/") + "/")


def comments(source: Source) -> tuple[tree.Comment, ...]:
    """Return the comments of a module, since lints are silenced by comments."""
    out: list[tree.Comment] = []
    if "pybuild:" not in source.text:
        return ()
    with contextlib.suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT:
                (line, start), (_, end) = token.start, token.end
                alone = not token.line[:start].strip()
                span = Span(source, line, start + 1, line, end + 1)
                out.append(tree.Comment(span, token.string, alone))
    return tuple(out)
