"""The cases of `found.md`: a heading `## target: what it is`, and the input as an expression of bytes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_CASE = re.compile(r"^## ([\w-]+): ([^\n]+)\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_cases() -> list[tuple[str, str, bytes]]:
    """Target, title and input of each."""
    text = (Path(__file__).parent / "found.md").read_text(encoding="utf-8")
    return [
        (target, title, _bytes(ast.parse(code.strip(), mode="eval").body))
        for target, title, code in _CASE.findall(text)
    ]


def _bytes(node: ast.expr) -> bytes:
    """Literals, joined with `+` and repeated with `*`."""
    match node:
        case ast.Constant(value=bytes(value)):
            return value
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _bytes(left) + _bytes(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int(times))):
            return _bytes(left) * times
    raise ValueError(f"found.md: {ast.unparse(node)} is no input")
