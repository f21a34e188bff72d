"""Programs of any size, one shape each: what is repeated, chained or nested in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

HEADER = "# syntax=pybuild:1\n"
ROOT = "build.pybuild"

Shape = Callable[[int], Mapping[str, str]]
"""The files of a program with about so many parts."""


def _lines(number: int, line: str, before: str = "", after: str = "") -> Mapping[str, str]:
    """`line` with its number and the one before in place of `{0}` and `{1}`."""
    body = "".join(line.format(at, at - 1) for at in range(1, number))
    return {ROOT: f"{HEADER}{before}{body}{after}"}


def _target(line: str) -> Shape:
    """Targets that each have the line, after a first one."""
    return lambda number: _lines(number, "target t{0}:\n" + line, 'target t0:\n    from "x"\n    run make\n')


def _body(line: str, before: str = "") -> Shape:
    """A line many times in the body of one target."""
    return lambda number: _lines(number, line, f'{before}target t:\n    from "x"\n')


def config(number: int) -> Mapping[str, str]:
    """A tenth as many variables and labels: each statement has a config of its own, with all before it."""
    return _body('    env A{0} = "{0}"\n    env B = "$A{0}"\n    label "a{0}" = "{0}"\n')(number // 10)


def matrix(number: int) -> Mapping[str, str]:
    values = ", ".join(f'"{at}"' for at in range(max(number // 20, 1)))
    axes = f"for a in [{values}] for b in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
    program = (
        f'target one {axes}:\n    from "x"\n    run echo ${{{{a}}}} ${{{{b}}}}\n'
        f"target two {axes}:\n    from one[a=a, b=b]\n    env A = a\n"
    )
    return {ROOT: HEADER + program}


def modules(number: int) -> Mapping[str, str]:
    number = max(number // 10, 2)
    files = {
        f"m{at}.pybuild": f'{HEADER}use "./m{at + 1}.pybuild" as m\nlet a = m.a\ndef f() -> state:\n    from m.f()\n'
        for at in range(1, number)
    }
    files[f"m{number}.pybuild"] = f'{HEADER}let a = "x"\ndef f() -> state:\n    from a\n'
    root = 'use "./m1.pybuild" as m\ntarget t:\n    from m.f()\n    env A = m.a\n'
    return {ROOT: HEADER + root, **files}


def items(number: int) -> Mapping[str, str]:
    values = ", ".join(f'"{at}"' for at in range(number))
    loop = "    for x in xs:\n        run echo ${{x}}\n"
    all_at_once = '    run echo ${{[x + "y" for x in xs]}}\n'
    return {ROOT: f'{HEADER}let xs = [{values}]\ntarget t:\n    from "x"\n{loop}{all_at_once}'}


def sums(number: int) -> Mapping[str, str]:
    return {
        ROOT: f'{HEADER}let n = {" + ".join("1" for _ in range(number))}\ntarget t:\n    from "x"\n    env A = n\n'
    }


def text(number: int) -> Mapping[str, str]:
    script = "".join("        echo ${{v}} \"${{v}}\" '${{v}}'\n" for _ in range(number))
    return {ROOT: f'{HEADER}param v: str = "a b"\ntarget t:\n    from "x"\n    run:\n{script}'}


SHAPES: dict[str, Shape] = {
    "targets side by side": _target('    from "x"\n    run make {0}\n    tag "x:{0}"\n'),
    "targets from each other": _target("    from t{1}\n    run make {0}\n"),
    "targets that copy": _target('    from "x"\n    copy "/out" from t{1} to "/in"\n'),
    "targets that need": _target('    from "x"\n    run make {0}\n    needs t{1}\n'),
    "instances": matrix,
    "statements": _body("    run make {0}\n"),
    "config": config,
    "blocks": _body('    with env(A="{0}"), cache("/{0}"):\n        run make\n'),
    "steps": _body("    f()\n", 'def f():\n    run make\n    mkdir "/x"\n'),
    "lets": lambda number: _lines(
        number, "let a{0} = a{1}\n", 'let a0 = "x"\n', f'target t:\n    from "x"\n    env A = a{number - 1}\n'
    ),
    "params": lambda number: _lines(
        number,
        'param a{0}: str = a{1}\ncheck a{0} != ""\n',
        'param a0: str = "x"\n',
        f'target t:\n    from "x"\n    env A = a{number - 1}\n',
    ),
    "functions": lambda number: _lines(
        number,
        "def f{0}() -> state:\n    from f{1}()\n    run make {0}\n",
        'def f0() -> state:\n    from "x"\n',
        f"target t:\n    from f{number - 1}()\n",
    ),
    "modules": modules,
    "items": items,
    "values in a script": text,
}


def nested(number: int) -> Mapping[str, str]:
    """Blocks within blocks."""
    lines = (f'{" " * (at + 1)}with env(A="{at}"):\n' for at in range(number))
    return {ROOT: f'{HEADER}target t:\n from "x"\n{"".join(lines)}{" " * (number + 1)}run make\n'}


def brackets(number: int) -> Mapping[str, str]:
    """Expressions within expressions."""
    return {ROOT: f"{HEADER}let a = {'[' * number}{']' * number}\n"}


def broken(number: int) -> Mapping[str, str]:
    """A mistake in every line."""
    return _lines(number, "    copy {0}x from to ]\n    run ${{{{a b\n", 'target t:\n    from "x"\n')


def unknown(number: int) -> Mapping[str, str]:
    """A name that doesn't exist in every line."""
    return _lines(number, "    env A = missing{0}, B = missing\n", 'target t:\n    from "x"\n')


def open_strings(number: int) -> Mapping[str, str]:
    """Strings that are never closed, in declarations."""
    return _lines(number, 'let a{0} = """x\n')


REFUSED: dict[str, Shape] = {
    "blocks within blocks": nested,
    "brackets within brackets": brackets,
    "operands": sums,
    "broken lines": broken,
    "unknown names": unknown,
    "open strings": open_strings,
}
"""Programs with mistakes."""
