"""The modules that a build module has imported, as it saw them: they are its own, and known to nobody else when its
run has ended."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from types import FunctionType, ModuleType

_lock = threading.RLock()


@contextlib.contextmanager
def known(modules: MutableMapping[str, ModuleType], directory: str, project: str) -> Iterator[None]:
    """Have `sys.modules` hold the modules, and the import path the directory, for as long as it lasts. What is
    imported of the project meanwhile is added to `modules`, and known to nobody else afterwards."""
    with _lock:
        before, path, written = dict(sys.modules), sys.path[:], sys.dont_write_bytecode
        sys.modules.update(modules)
        sys.path.insert(0, directory)
        sys.dont_write_bytecode = True
        try:
            yield
        finally:
            sys.path[:] = path
            sys.dont_write_bytecode = written
            for name, module in list(sys.modules.items()):
                if before.get(name) is module or not (name in modules or _inside(module, project)):
                    continue
                modules[name] = module
                if name in before:
                    sys.modules[name] = before[name]
                else:
                    del sys.modules[name]


def _inside(module: ModuleType, project: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and os.path.realpath(file).startswith(os.path.join(project, ""))


def directory_of(function: FunctionType) -> str:
    """The directory in which the module of a function is found by its name, if it is in no package, else that of its
    outermost package."""
    directory = os.path.dirname(os.path.abspath(function.__code__.co_filename))
    package = function.__globals__.get("__package__")
    for _ in str(package).split(".") if package else ():
        directory = os.path.dirname(directory)
    return directory
