"""The rows of a logical line, with its trailing comment and its raw text."""

from __future__ import annotations

from itertools import chain

from pybuild.lang.textual import tree
from pybuild.lang.textual.check.walk import preorder
from pybuild.lang.textual.fmt import scripts
from pybuild.lang.textual.fmt.docs import STEP, WHOLE, WIDTH, render
from pybuild.lang.textual.fmt.expressions import Parts
from pybuild.lang.textual.fmt.remarks import placed
from pybuild.lang.textual.fmt.statements import head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybuild.lang.textual.fmt.lines import LogicalLine


def rows(line: LogicalLine, functions: frozenset[str]) -> list[str]:
    """Return the rows of a line. `functions` are names that the file defines."""
    indent = line.depth * STEP
    if isinstance(line.node, tree.Run):
        return scripts.run(line.node.script, indent)
    out = _head(line, functions)
    if line.trailing:
        out[-1] += f"  {line.trailing}"
    if line.script is not None:
        out += scripts.shifted(scripts.raw_rows(line.script), indent + STEP)
    return out


def _head(line: LogicalLine, functions: frozenset[str]) -> list[str]:
    indent = line.depth * STEP
    if line.node is None:
        return [" " * indent + "else:"]
    remarks = placed(_nodes(line.node), line.inner) if line.inner else {}
    if remarks is None:
        return _as_written(line, indent)
    parts = Parts(remarks, functions)
    parts.add(_nodes(line.node))
    doc = head(line.node, line.word, parts)
    if line.start[0] == line.stop[0] and not isinstance(line.node, tree.With):
        whole = render(doc, indent, WHOLE)
        if len(whole) == 1:
            return whole
    return render(doc, indent, WIDTH)


def _nodes(node: tree.Node) -> Iterator[tree.Node]:
    """Yield the nodes of a line, without those of its block, each before its children."""
    if isinstance(node, tree.Branch):
        return preorder(node.condition)
    if isinstance(node, tree.For):
        return preorder(node.values)
    if isinstance(node, tree.With):
        return preorder(*node.options)
    if isinstance(node, tree.Target):
        return preorder(*node.axes, *node.on)
    if isinstance(node, tree.Def):
        return chain((node,), preorder(*node.parameters, node.returns))
    return preorder(node)


def _as_written(line: LogicalLine, indent: int) -> list[str]:
    """Return the author's rows, moved to the new indentation."""
    assert line.node is not None
    source = line.node.span.source
    (first, column), (last, stop) = line.start, line.stop
    out = []
    string_rows = _strings(line.node)
    for number in range(first, last + 1):
        text = source.line(number)
        text = text[: stop - 1] if number == last else text
        if number in string_rows:
            out.append(text)
        elif number == first:
            out.append(" " * indent + text[column - 1 :])
        else:
            margin = len(text) - len(text.lstrip(" \t"))
            moved = max(margin + indent - (column - 1), 0)
            out.append(" " * moved + text.lstrip(" \t"))
    ends = {number - 1 for number in string_rows}
    out = [row if first + at in ends else row.rstrip() for at, row in enumerate(out)]
    if line.opens or line.script is not None:
        out[-1] += ":"
    return out


def _strings(node: tree.Node) -> set[int]:
    """Return the rows that begin inside a string. They can't move, as that would change the string."""
    return {
        number
        for one in _nodes(node)
        if isinstance(one, tree.String)
        for number in range(one.span.line + 1, one.span.end_line + 1)
    }
