"""Programs that are large, long or deep: all are answered, and the work grows with the size of the program."""

from __future__ import annotations

import pytest
from tests.lang.textual.expand.programs import HEADER, Asked, Outside, made, problems
from tests.lang.textual.worlds import World

from pybuild.lang.diagnostics import SourceErrors, render
from pybuild.lang.textual import modules
from pybuild.lang.textual.expand import budget
from pybuild.lang.textual.expand import expand as expansion
from pybuild.lang.textual.expand.compilation import Compilation
from pybuild.lang.textual.load import load

pytestmark = pytest.mark.growth


def loaded(text: str) -> modules.Program:
    """A program that is not checked."""
    world = World({"build.pybuild": HEADER + text})
    program = load(world.root(), world).program
    assert program is not None
    return program


def steps(text: str, asked: Asked) -> int:
    """Steps of evaluation that an expansion takes."""
    compilation = Compilation(loaded(text), asked.options, Outside())
    expansion._expanded(compilation)
    assert not compilation.errors
    return compilation.budget.steps


def refused(text: str, asked: Asked) -> str:
    with pytest.raises(SourceErrors) as caught:
        expansion.expand(loaded(text), asked.options, Outside())
    (only,) = caught.value.diagnostics
    return render(only)


def wide(number: int) -> str:
    targets = (
        f'target t{at}:\n    from base\n    run echo {at}\n    tag "t:{at}"\n' for at in range(number - 1)
    )
    return 'target base:\n    from "x"\n' + "".join(targets)


def chain(number: int) -> str:
    targets = (f"target t{at}:\n    from t{at - 1}\n    needs t{at - 1}\n" for at in range(1, number))
    return "target t0:\n    from scratch\n" + "".join(targets)


def diamonds(number: int) -> str:
    targets = (
        f'target t{at}:\n    from t{at - 1}\n    copy "/x" from t{at - 1} to "/x"\n'
        for at in range(1, number)
    )
    return "target t0:\n    from scratch\n" + "".join(targets)


def matrices(number: int) -> str:
    digits = "".join(f'"{at}", ' for at in range(number))
    return (
        f"let xs = [{digits}]\ntarget a for x in xs:\n    from scratch\n"
        "target b for x in xs:\n    from a[x=x]\n"
    )


@pytest.mark.parametrize("shape", [wide, chain, diamonds, matrices])
def test_the_work_is_linear(shape: object) -> None:
    assert callable(shape)
    small, middle, large = (steps(shape(number), Asked("everything")) for number in (10, 100, 1000))
    assert large - middle <= (middle - small) * 10.5


def test_ten_thousand_targets_in_a_chain() -> None:
    program = loaded(chain(10_000))
    recipe = expansion.expand(program, Asked(("t9999",)).options, Outside())
    assert [len(recipe.requested), len(recipe.needed)] == [1, 9999]


def test_ten_thousand_targets_side_by_side() -> None:
    recipe = expansion.expand(loaded(wide(10_000)), Asked("everything").options, Outside())
    assert len(recipe.requested) == 10_000


def test_a_long_chain_of_unset_params_is_skipped() -> None:
    text = chain(5_000).replace("from scratch", 'from "x:${{version}}"', 1) + "param version: str\n"
    recipe = expansion.expand(loaded(text), Asked("everything").options, Outside())
    assert recipe.requested == ()
    assert len(recipe.skipped) == 5_000


def test_lets_params_and_checks_in_a_chain() -> None:
    lines = [
        f"param a{at}: int = b{at - 1} + 1\nlet b{at} = a{at}\ncheck a{at} > b{at - 1}\n"
        for at in range(1, 3000)
    ]
    text = "let b0 = 0\n" + "".join(lines) + "target t:\n    from scratch\n    env A = b2999\n"
    recipe = expansion.expand(loaded(text), Asked().options, Outside())
    assert len(recipe.params) == 2999


def test_state_functions_in_a_chain() -> None:
    functions = (f"def f{at}() -> state:\n    from f{at - 1}()\n" for at in range(1, 3000))
    text = "def f0() -> state:\n    from scratch\n" + "".join(functions) + "target t:\n    from f2999()\n"
    assert len(expansion.expand(loaded(text), Asked().options, Outside()).requested) == 1


def nested(number: int, body: str, again: str, call: str, result: str = "") -> str:
    first = f"def f0(){result}:\n    {body}\n"
    rest = (f"def f{at}(){result}:\n    {again.format(at - 1)}\n" for at in range(1, number))
    return f'{first}{"".join(rest)}target t:\n    from "x"\n    {call.format(number - 1)}\n'


def test_steps_within_steps() -> None:
    made(nested(63, "run x", "f{}()", "f{}()"))
    said = refused(nested(80, "run x", "f{}()", "f{}()"), Asked())
    assert said.startswith("error[E0703]: calls are more than 64 deep\n")
    assert "t (build.pybuild:162:1)\n" in said
    assert "f79(…) (build.pybuild:164:5)\n" in said
    assert "… 52 more calls …" in said


def test_functions_within_functions() -> None:
    made(nested(63, "return 1", "return f{}()", "env A = f{}()", " -> int"))
    said = refused(nested(80, "return 1", "return f{}()", "env A = f{}()", " -> int"), Asked())
    assert said.startswith("error[E0703]: calls are more than 64 deep\n")


def test_a_module_of_a_module() -> None:
    """Params that pass through modules are no calls."""
    files = "".join(
        f'=== m{at}.pybuild\nuse "./m{at + 1}.pybuild" as m with x=x\nparam x: str\nlet y = m.y\n'
        for at in range(200)
    )
    text = (
        f'use "./m0.pybuild" as m with x="v"\ntarget t:\n    from scratch\n    env A = m.y\n{files}'
        "=== m200.pybuild\nparam x: str\nlet y = x\n"
    )
    assert made(text).requested


def test_the_limits_are_those_of_the_specification() -> None:
    limits = (budget.STEPS, budget.OPS, budget.INSTANCES, budget.DEPTH)
    assert limits == (1_000_000, 200_000, 10_000, 64)


def test_too_many_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "INSTANCES", 1_000)
    said = refused(wide(1_001), Asked("everything"))
    assert said.startswith("error[E0703]: the build has more than 1,000 target instances\n")


def test_too_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "STEPS", 10_000)
    said = refused(nested(40, "return 1", "return f{0}() + f{0}()", "env A = f{}()", " -> int"), Asked())
    assert said.startswith("error[E0703]: this takes more than 10,000 steps\n")


def test_too_many_ops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "OPS", 1_000)
    said = refused(nested(30, "run x", "f{0}()\n    f{0}()", "f{}()"), Asked())
    assert said.startswith("error[E0703]: the build has more than 1,000 ops\n")


def test_a_matrix_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "INSTANCES", 999)
    digits = 'let a = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]\n'
    said = refused(f"{digits}target t for x in a for y in a for z in a:\n    from scratch\n", Asked())
    assert said.startswith("error[E0703]: a matrix has more than 999 instances\n")


def test_groups_in_a_chain() -> None:
    groups = "".join(f"group g{at} = [g{at - 1}, t]\n" for at in range(1, 1500))
    text = f"target t:\n    from scratch\ngroup g0 = [t]\n{groups}default g1499\n"
    assert len(expansion.expand(loaded(text), Asked().options, Outside()).requested) == 1


def test_blocks_within_blocks() -> None:
    lines = [f"{'    ' * (at + 1)}if true:\n" for at in range(60)]
    made('target t:\n    from "x"\n' + "".join(lines) + "    " * 61 + "run x\n")


def test_a_budget_ends_the_compile() -> None:
    text = nested(80, "run x", "f{}()", "f{}()") + 'target u:\n    from "x"\n    copy "nothing" to "/x"\n'
    said = problems(text, Asked(("u", "t")))
    assert [one.code for one in said] == ["E0703"]
