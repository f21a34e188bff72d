"""Files of the language as modules of its Python API (language spec, section 20).

    python_source(file)     a file's syntax tree -> the text of a module

Nothing is expanded: a `let` becomes a variable, `if`, `for` and comprehensions Python's own, a `def` a function. Docs
become docstrings, comments stay where they stand. Where a build may differ from that of the file a comment says so
(`# differs: …`). The text is laid out as `ruff format` does in 100 columns, and is the same for the same file.
"""

from __future__ import annotations

from pybuild.lang.convert.pythonsource.file import module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.textual import tree

__all__ = ["python_source"]


def python_source(file: tree.File) -> str:
    """The module of a file that has parsed without errors; it should have passed the check too, as types decide how
    values are written."""
    return module(file)
