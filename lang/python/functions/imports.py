"""Gives access to the modules that a build module imported: they are removed from `sys.modules` after its run."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from types import FunctionType, ModuleType

# `sys.modules` and `sys.path` belong to the whole process, so one thread at a time may change them.
_lock = threading.RLock()


@contextlib.contextmanager
def known(modules: MutableMapping[str, ModuleType], directory: str, project: str) -> Iterator[None]:
    """Put the modules into `sys.modules`, and the directory on the import path, within the block.

    Modules of the project that are imported meanwhile are added to `modules`, and removed from `sys.modules` at the
    end.
    """
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
    """Return the directory that has to be on the import path to import a function's module by its name."""
    directory = os.path.dirname(os.path.abspath(function.__code__.co_filename))
    package = function.__globals__.get("__package__")
    for _ in str(package).split(".") if package else ():
        directory = os.path.dirname(directory)
    return directory
