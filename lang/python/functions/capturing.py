"""Captures a function of a build module, so that it can run in a container."""

from __future__ import annotations

import os
import types

from attrs import field, frozen

from pybuild.lang.python.functions import problems
from pybuild.lang.python.functions.files import Project
from pybuild.lang.python.functions.imports import directory_of, known
from pybuild.lang.python.functions.kinds import described, is_own_value
from pybuild.lang.python.functions.slice import Slice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    from pybuild.lang.source import Span

_NOT_AWAITED = "only ordinary functions run as steps: call it from one"


@frozen(eq=False)
class CapturedFunction:
    """A function that can run in a container.

    `name` is its name; `project` the directory whose files are sent with it; `texts` are the texts of files that are
    not on disk; `modules` are the modules that the build module has imported.
    """

    function: Any
    name: str
    project: str
    texts: Mapping[str, str] = field(factory=dict)
    modules: dict[str, types.ModuleType] = field(factory=dict)
    span: Span | None = None

    def at_work(self) -> AbstractContextManager[None]:
        """Make the build module's imports available while a slice is made and used."""
        original = original_of(self.function, self.span)
        directory = directory_of(original) if isinstance(original, types.FunctionType) else self.project
        return known(self.modules, directory, os.path.realpath(self.project))

    def slice(self, classes: Iterable[type] = ()) -> tuple[Slice, Any]:
        """Return the code and data it needs, with further classes, and a reference to the function. Raises
        SourceError.

        Call it inside `at_work`.
        """
        code = Slice(Project(self.project, self.texts))
        original = original_of(self.function, self.span)
        if isinstance(original, types.FunctionType):
            reference = code.function(self.function, original, self.span)
        else:
            reference = {"global": [self.function.__module__, self.function.__qualname__]}
        for cls in classes:
            code.class_name(cls)
        code.finish()
        return code, reference


def capture(
    function: object,
    project: str,
    *,
    texts: Mapping[str, str] | None = None,
    modules: Mapping[str, types.ModuleType] | None = None,
    span: Span | None = None,
) -> CapturedFunction:
    """Capture a function with all that it needs: code of the files under the directory `project`, and data.

    `texts` are the texts of files that are not on disk, by the file names in their code; `modules` are the modules
    that the build module has imported, by name, if `sys.modules` doesn't have them any more (including the build
    module itself if others import it); `span` is where the function is passed. Raises SourceError for anything that
    can't be sent.
    """
    original_of(function, span)
    name = str(getattr(function, "__qualname__", "")).rpartition(".")[2]
    captured = CapturedFunction(function, name, project, texts or {}, dict(modules or {}), span)
    with captured.at_work():
        # Slice once to report errors early; the slice itself is made again for each call.
        captured.slice()
    return captured


def original_of(function: object, span: Span | None) -> types.FunctionType | types.BuiltinFunctionType:
    """Return the function beneath its decorators. Raises SourceError for anything but a plain function."""
    import functools
    import inspect

    if isinstance(function, functools.partial):
        raise problems.not_a_function(span, "a partial function", "pass its arguments to `call`")
    if isinstance(function, types.BuiltinFunctionType):
        return _of_c(function, span)
    if isinstance(function, types.MethodType):
        help = "write a function, and pass what it needs of the object as an argument"
        raise problems.not_a_function(span, "a method of an object", help)
    original: object = function
    if callable(function) and not is_own_value(function) and not isinstance(function, type):
        try:
            original = inspect.unwrap(function)
        except ValueError:
            original = None
    if not isinstance(original, types.FunctionType):
        help = "pass the name of a function, without calling it"
        raise problems.not_a_function(span, described(function), help)
    if original.__name__ == "<lambda>":
        raise problems.not_a_function(span, "a lambda", "write it with `def`")
    for test, what in (
        (inspect.iscoroutinefunction, "a coroutine function"),
        (inspect.isasyncgenfunction, "an asynchronous generator function"),
        (inspect.isgeneratorfunction, "a generator function"),
    ):
        if test(original) or test(function):
            raise problems.not_a_function(span, what, _NOT_AWAITED)
    return original


def _of_c(function: types.BuiltinFunctionType, span: Span | None) -> types.BuiltinFunctionType:
    """Check that a function written in C can be found by its name in its module."""
    import sys

    module = sys.modules.get(function.__module__ or "")
    member: object = getattr(module, function.__qualname__, None)
    if member is not function:
        raise problems.not_a_function(span, "a method of an object", "write a function that calls it")
    return function
