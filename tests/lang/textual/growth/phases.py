"""A compile, phase by phase, of a program in memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from tests.compiler.lower.dockerfile import world as lowering
from tests.lang.textual.expand.programs import BUILDER, Outside
from tests.lang.textual.growth.shapes import ROOT
from tests.lang.textual.worlds import PROJECT, World

from pybuild.compiler.bridge import ResolvedImage
from pybuild.compiler.lower.recipe.lower import lower
from pybuild.compiler.lower.recipe.options import LowerOptions
from pybuild.compiler.ops import Platform
from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.expand.expand import expand
from pybuild.lang.textual.expand.options import EVERYTHING, ExpandOptions
from pybuild.lang.textual.load import load

PHASES = ("parse", "check", "expand", "lower")

T = TypeVar("T")


class Images(lowering.World):
    """Has every image."""

    def resolve_image(self, ref: str, platform: Platform, *, log_name: str = "") -> ResolvedImage:
        return ResolvedImage(ref, lowering.DIGEST, lowering.image_config())


def seconds(files: Mapping[str, str]) -> tuple[dict[str, float], list[Diagnostic]]:
    """CPU time of each phase that is reached, and what was said."""
    times: dict[str, float] = {}

    def timed(phase: str, act: Callable[[], T]) -> T:
        start = time.process_time()
        done = act()
        times[phase] = time.process_time() - start
        return done

    world = World(files)
    gc.collect()
    gc.disable()
    try:
        loaded = timed("parse", lambda: load(world.root(ROOT), world))
        program = loaded.program
        assert program is not None
        said = [*loaded.diagnostics, *timed("check", lambda: check(program))]
        if any(one.level == "error" for one in said):
            return times, said
        options = ExpandOptions(PROJECT, PROJECT, BUILDER, EVERYTHING, {}, ())
        made = timed("expand", lambda: expand(program, options, Outside()))
        timed("lower", lambda: lower(made, LowerOptions(Platform("amd64", "linux")), Images()))
    finally:
        gc.enable()
    return times, said
