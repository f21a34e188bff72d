"""The shared state of one lowering of a recipe."""

from __future__ import annotations

from collections.abc import Mapping

from pybuild.compiler.bridge import Bridge, ResolvedImage
from pybuild.compiler.descriptions import BODY
from pybuild.compiler.image import Image
from pybuild.compiler.image import parse as parse_image
from pybuild.compiler.lower.recipe.lowered_state import LoweredState
from pybuild.compiler.lower.recipe.options import LowerOptions
from pybuild.compiler.lower.recipe.plan import Plan
from pybuild.compiler.lower.recipe.printing import summary
from pybuild.compiler.ops import Platform
from pybuild.compiler.options import Options
from pybuild.compiler.platforms import parse as parse_platform
from pybuild.compiler.timestamps import NANOSECONDS
from pybuild.lang.recipe import Body, State, Step
from pybuild.lang.source import Span

Key = tuple[str, str, Platform]


class Lowering:
    """The lowering of one recipe. `lowered` has the states that are lowered."""

    def __init__(self, plan: Plan, options: LowerOptions, bridge: Bridge) -> None:
        self.plan = plan
        self.options = options
        self.bridge = bridge
        self.proxy = options.steps.proxy_env
        self.lowered: dict[State, LoweredState] = {}
        self._counts: dict[Body, int] = {}
        self._images: dict[Key, tuple[ResolvedImage, Image]] = {}
        self._platforms: dict[str, Platform] = {}

    @property
    def timestamp(self) -> int | None:
        """The time of files that the build makes, in nanoseconds; None is the time at which they are made."""
        epoch = self.options.epoch
        return None if epoch is None else epoch * NANOSECONDS

    def platform(self, text: str) -> Platform:
        platform = self._platforms.get(text)
        if platform is None:
            platform = self._platforms[text] = parse_platform(text)
        return platform

    def name(self, body: Body, text: str) -> str:
        """Return the name of the body's next step for progress, and count the step."""
        number = self._counts[body] = self._counts.get(body, 0) + 1
        total = self.plan.steps[body]
        return f"[{body.title} {number:>{len(str(total))}}/{total}] {summary(text)}"

    def step_options(self, step: Step, text: str) -> Options:
        """Return the options of a statement's vertex, and count the statement as a step."""
        anew = self.options.steps.no_cache or (self.options.rerun and step.body in self.plan.tests)
        return Options(
            name=self.name(step.body, text),
            description={BODY: step.body.title},
            ignore_cache=anew,
            spans=spans(step.span),
        )

    def resolve(self, ref: str, platform: Platform, *, layout: bool = False) -> tuple[ResolvedImage, Image]:
        """Resolve an image and parse its config; each image is resolved once."""
        key = ("oci-layout" if layout else "docker-image", ref, platform)
        if key not in self._images:
            ask = self.bridge.resolve_layout if layout else self.bridge.resolve_image
            resolved = ask(ref, platform, log_name=f"[internal] load metadata for {ref}")
            self._images[key] = resolved, parse_image(resolved.config)
        return self._images[key]


def spans(span: Span | None) -> tuple[Span, ...]:
    return () if span is None else (span,)


def environment_of(config_env: tuple[str, ...]) -> Mapping[str, str]:
    """Return the variables of a config's `Env`."""
    out = {}
    for entry in config_env:
        name, _, value = entry.partition("=")
        out[name] = value
    return out
