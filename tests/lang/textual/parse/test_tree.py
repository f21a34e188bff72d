"""What programs become, and where it stands."""

from __future__ import annotations

import pytest
from tests.lang.textual.parse.examples import HEADER, PROGRAMS, excerpt, file, nodes, parsed, statement, value

from pybuild.lang.textual import tree


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_have_no_mistake(name: str) -> None:
    found = parsed(PROGRAMS[name])
    assert [(one.code, one.title) for one in found.diagnostics] == []
    assert found.file.decls


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_text_of_an_expression_is_the_same_expression(name: str) -> None:
    for node in nodes(parsed(PROGRAMS[name]).file):
        if isinstance(node, tree.Expr) and '"""' not in excerpt(node):
            again = value(f"(\n{excerpt(node)}\n)")
            assert isinstance(again, tree.Parens)
            assert shape(again.value) == shape(node)


def shape(node: tree.Node) -> list[object]:
    holder = tree.Check(node.span, node, None)  # type: ignore[arg-type]
    found = nodes(tree.File(node.span, node.span.source, None, (holder,), ()))[1:]
    return [(type(one).__name__, excerpt(one)) for one in found]


@pytest.mark.parametrize("name", PROGRAMS)
def test_parts_lie_inside_the_whole_and_in_order(name: str) -> None:
    whole = parsed(PROGRAMS[name]).file
    ends = [(0, 0)]
    for decl in whole.decls:
        assert ends[-1] <= (decl.span.line, decl.span.column)
        ends.append((decl.span.end_line, decl.span.end_column))
        inside = nodes(tree.File(whole.span, whole.source, None, (decl,), ()))
        for node in inside:
            assert (decl.span.line, decl.span.column) <= (node.span.line, node.span.column)
            assert (node.span.end_line, node.span.end_column) <= ends[-1]


def test_names_are_where_they_stand() -> None:
    for name, text in PROGRAMS.items():
        for node in nodes(parsed(text).file):
            if isinstance(node, tree.Ident | tree.Name):
                assert excerpt(node) == node.name, name


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("1 + 2 * 3", "(1 + (2 * 3))"),
        ("1 - 2 - 3", "((1 - 2) - 3)"),
        ("a or b and not c", "(a or (b and (not c)))"),
        ("not a == b", "(not (a == b))"),
        ("a if b else c if d else e", "(a if b else (c if d else e))"),
        ("-a.b(c)[d]", "(- a.b(c)[d])"),
        ("a not in b + c", "(a not in (b + c))"),
        ("x in y or z", "((x in y) or z)"),
        ("a // 2 % 3", "((a // 2) % 3)"),
        ("t[a=1, b=2].c", "t[a=1,b=2].c"),
        ("f(a, b=c,)", "f(a,b=c)"),
        ("[x for x in xs if y for z in zs]", "[x for x in xs if y for z in zs]"),
        ('{"a": 1, "b": 2,}', '{"a":1,"b":2}'),
        ("{k: v for k in ks}", "{k:v for k in ks}"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("true", "true"),
    ],
)
def test_expressions_bind_as_written(written: str, meant: str) -> None:
    assert show(value(written)) == meant


def show(e: tree.Node | None) -> str:
    """An expression with all its parentheses."""
    match e:
        case tree.Name(name=name):
            return name
        case tree.Number(value=number):
            return str(number)
        case tree.Bool(value=flag):
            return str(flag).lower()
        case tree.Binary(op=op, left=left, right=right):
            return f"({show(left)} {op} {show(right)})"
        case tree.Unary(op=op, operand=operand):
            return f"({op} {show(operand)})"
        case tree.Ternary(then=then, condition=condition, otherwise=otherwise):
            return f"({show(then)} if {show(condition)} else {show(otherwise)})"
        case tree.Attribute(value=inner, name=name):
            return f"{show(inner)}.{name.name}"
        case tree.Call(function=function, arguments=arguments):
            return f"{show(function)}({','.join(map(show, arguments))})"
        case tree.Index(value=inner, index=index):
            return f"{show(inner)}[{show(index)}]"
        case tree.Select(value=inner, arguments=arguments):
            return f"{show(inner)}[{','.join(map(show, arguments))}]"
        case tree.Argument(name=name, value=inner):
            return f"{name.name}={show(inner)}" if name else show(inner)
        case tree.List(items=items):
            return f"[{','.join(map(show, items))}]"
        case tree.Map(entries=entries):
            return f"{{{','.join(map(show, entries))}}}"
        case tree.Entry(key=key, value=inner):
            return f"{show(key)}:{show(inner)}"
        case tree.ListComp(item=item, axes=axes):
            return f"[{show(item)} {' '.join(map(show, axes))}]"
        case tree.MapComp(entry=entry, axes=axes):
            return f"{{{show(entry)} {' '.join(map(show, axes))}}}"
        case tree.AxisFor(name=name, values=values):
            return f"for {name.name} in {show(values)}"
        case tree.AxisIf(condition=condition):
            return f"if {show(condition)}"
    assert e is not None
    return excerpt(e)


def test_operators_have_their_place() -> None:
    one = value("a not   in b")
    assert isinstance(one, tree.Binary)
    assert (one.op, excerpt(tree.Ident(one.op_span, ""))) == ("not in", "not   in")


def test_docs_stand_directly_above() -> None:
    text = """# About the file.

# Not a doc.

# First line.
#
# Second  line.
# pybuild: allow W0601
param a: str
let b = 1  # no doc of c
let c = 2
    # no doc either
let d = 3

#no space
target e:
    # inside
    from scratch
# Above the last.
let f = 4
"""
    docs = [getattr(one, "doc", None) for one in file(text).decls]
    assert docs == ["First line.\n\nSecond  line.", "", "", "", "no space", "Above the last."]


def test_the_header_is_no_comment_and_no_doc() -> None:
    found = parsed("# syntax=pybuild:1\nlet a = 1 # x\n# y\n").file
    assert found.header is not None
    assert (found.header.reference, found.header.edition, excerpt(found.header)) == (
        "pybuild:1",
        1,
        "pybuild:1",
    )
    assert [one.doc for one in found.decls if isinstance(one, tree.Let)] == [""]
    assert [(one.text, one.own_line) for one in found.comments] == [("# x", False), ("# y", True)]


def test_comments_are_none_of_raw_text() -> None:
    text = "target a: # one\n    run x # no\n    run:\n        # no\n        y\n"
    text += '    copy "#no" to "/" # two\n    # three\n'
    assert [one.text for one in file(text).comments] == ["# one", "# two", "# three"]


def test_comments_inside_brackets() -> None:
    found = file("let a = [ # one\n    # two\n    1, # three\n]\n")
    assert [(one.text, one.own_line) for one in found.comments] == [
        ("# one", False),
        ("# two", True),
        ("# three", False),
    ]


def test_soft_keywords_are_names_elsewhere() -> None:
    found = file(
        'param tag: str\nlet user = "x"\nlet run = user\nlet target = run\nlet test = target.copy(env=1)\n'
    )
    assert [one.name.name for one in found.decls if isinstance(one, tree.Param | tree.Let)] == [
        "tag",
        "user",
        "run",
        "target",
        "test",
    ]


def test_a_module_may_be_called_like_a_declaration() -> None:
    assert isinstance(statement("    test.step()\n"), tree.CallStmt)


def test_headers_end_before_their_colon() -> None:
    found = file(
        "target a for x in xs if x on p, q :\n    from scratch\ndef f(a: int) -> list[str]:\n    return a\n"
    )
    headers = [
        excerpt(tree.Ident(one.header, "")) for one in found.decls if isinstance(one, tree.Target | tree.Def)
    ]
    assert headers == ["target a for x in xs if x on p, q", "def f(a: int) -> list[str]"]


def test_a_declaration_ends_with_its_last_statement() -> None:
    found = file("target a:\n    if x:\n        run y\n\n    # comment\n\nlet b = 1\n")
    assert excerpt(found.decls[0]) == "target a:\n    if x:\n        run y"


def test_statements_keep_their_parts() -> None:
    copy = statement('    copy "a", b from c to "/d", owner="1", link=true\n')
    assert isinstance(copy, tree.Copy)
    assert (
        [excerpt(one) for one in copy.sources],
        excerpt(copy.dest),
        [excerpt(one) for one in copy.options],
    ) == (
        ['"a"', "b"],
        '"/d"',
        ['owner="1"', "link=true"],
    )
    assert copy.state is not None
    assert excerpt(copy.state) == "c"
    choice = statement("    if a:\n        run a\n    elif b:\n        run b\n    else:\n        run c\n")
    assert isinstance(choice, tree.If)
    assert [excerpt(one.condition) for one in choice.branches] == ["a", "b"]
    assert choice.otherwise is not None
    use = file('use "./x.pybuild" as y with a=1, b="2"\n').decls[0]
    assert isinstance(use, tree.Use)
    assert use.path is not None
    assert use.alias is not None
    assert (use.module, excerpt(use.path), use.alias.name, len(use.arguments)) == (
        None,
        '"./x.pybuild"',
        "y",
        2,
    )


def test_crlf_is_lf() -> None:
    found = parsed(
        HEADER.replace("\n", "\r\n") + 'let a = """\r\n  x\r\n"""\r\ntarget b:\r\n  run:\r\n    y\r\n'
    )
    assert not found.diagnostics
    again = [one.value for one in nodes(found.file) if isinstance(one, tree.Text | tree.ScriptText)]
    assert again == ["x\n", "y\n"]
