"""Converts `run`: to a script with names in the places of its values, and the values as keywords."""

from __future__ import annotations

from pybuild.lang.convert.pythonsource import literals, shapes
from pybuild.lang.convert.pythonsource.making import DATA, Place
from pybuild.lang.convert.pythonsource.names import BUILDER
from pybuild.lang.textual import tree
from pybuild.lang.textual.fmt.docs import HARD, Concat, Doc, Nest, Rows, flat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.lang.convert.pythonsource.expressions import Expressions

BLANKS = "rows of blanks are empty here"
CUT = "nothing follows the last backslash here"


def run(node: tree.Run, expressions: Expressions) -> Doc:
    text, values = _with_names(node.script, expressions)
    keywords = [shapes.named(name, value) for name, value in values.items()]
    if "\n" in text and text.rstrip(" \t\n").endswith("\\"):
        expressions.differences.append(CUT)
    row = text.removesuffix("\n")
    if "\n" not in row and row == row.strip():
        return shapes.call(f"{BUILDER}.run", [literals.string(row), *keywords])
    block = literals.block(text)
    if block is not None:
        return _block(*block, keywords)
    if any(row and not row.strip() for row in text.split("\n")):
        expressions.differences.append(BLANKS)
    rows = [literals.row(row, "") for row in literals.rows([text])]
    return shapes.call(f"{BUILDER}.run", [shapes.pieces(literals.row([text], ""), rows), *keywords])


def _block(opening: str, rows: list[str], keywords: list[Doc]) -> Doc:
    """Lay out a script of several rows."""
    rows = [*rows, literals.TRIPLE]
    if not keywords:
        return Concat([f"{BUILDER}.run(", Rows(opening, rows, moves=True, closing=True), ")"])
    # The rows are indented like the quotes: one step more than the call.
    script = Rows(opening, rows, moves=True, closing=False)
    lines = [piece for one in keywords for piece in (HARD, one, ",")]
    return Concat([f"{BUILDER}.run(", Nest([HARD]), script, ",", Nest(lines), HARD, ")"])


def _with_names(script: tree.Script, expressions: Expressions) -> tuple[str, dict[str, Doc]]:
    """Return the text, and the values of its names. A value that occurs twice has one name."""
    text: list[str] = []
    values: dict[str, Doc] = {}
    names: dict[str, str] = {}
    for part in script.parts:
        if not isinstance(part, tree.Interpolation):
            text.append(part.value.replace("${{", "$${{"))
            continue
        doc = expressions.doc(part.value, Place(builder=True, dollars=DATA))
        written = flat(doc)
        name = names.get(written)
        if name is None:
            name = names[written] = _free(_hint(part.value, expressions), values)
            values[name] = doc
        text.append(f"${{{{{name}}}}}")
    return "".join(text), values


def _hint(expr: tree.Expr, expressions: Expressions) -> str:
    """Return a name for a value: the name it is computed from, if there is just one."""
    while True:
        if isinstance(expr, tree.Name):
            return expressions.names.value(expr.name)
        if isinstance(expr, tree.Attribute):
            return expressions.names.value(expr.name.name)
        if isinstance(expr, tree.Parens | tree.Index):
            expr = expr.value
        elif isinstance(expr, tree.Call) and isinstance(expr.function, tree.Attribute):
            expr = expr.function.value
        elif isinstance(expr, tree.Call) and expr.arguments:
            expr = expr.arguments[0].value
        else:
            return "value"


def _free(name: str, taken: dict[str, Doc]) -> str:
    count, base = 1, name
    while name in taken:
        count += 1
        name = f"{base}_{count}"
    return name
