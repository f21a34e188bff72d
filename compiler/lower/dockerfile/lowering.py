"""The shared state of one lowering of a Dockerfile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from attrs import evolve

from pybuild.compiler.bridge import Bridge, ResolvedImage
from pybuild.compiler.image import Image
from pybuild.compiler.image import parse as parse_image
from pybuild.compiler.lower.commands import proxy_env
from pybuild.compiler.lower.dockerfile.arguments import (
    EPOCH,
    Platforms,
    effective_build_args,
    global_args,
    platform_args,
)
from pybuild.compiler.lower.dockerfile.contexts import NamedContexts, main_context
from pybuild.compiler.lower.dockerfile.epoch import Clock, Epoch, put
from pybuild.compiler.lower.dockerfile.options import LoweredTarget, LowerOptions
from pybuild.compiler.lower.dockerfile.stages import Stages
from pybuild.compiler.lower.dockerfile.words import Words
from pybuild.compiler.ops import Platform, SourceOp
from pybuild.compiler.timestamps import NANOSECONDS, format_seconds
from pybuild.lang.diagnostics import UsageError, suggest
from pybuild.lang.dockerfile.ignore import Matcher
from pybuild.lang.dockerfile.instructions import Dockerfile
from pybuild.lang.dockerfile.lint.linter import Linter

_NETWORKS = ("default", "none", "host")
_RESOLVE_MODES = ("default", "pull", "local")


def _check(options: LowerOptions) -> None:
    for title, value, choices in (
        ("network default", options.steps.network, _NETWORKS),
        ("image resolve mode", options.image_resolve_mode, _RESOLVE_MODES),
    ):
        if value not in choices:
            near = suggest(value, choices)
            raise UsageError(
                f"unsupported value of {title}: {value}",
                help=f"did you mean {near}?" if near else f"give one of {', '.join(choices)}",
            )


class Lowering:
    """The lowering of one file for one platform. Raises `UsageError` for an option."""

    def __init__(
        self,
        dockerfile: Dockerfile,
        options: LowerOptions,
        bridge: Bridge,
        lower: Callable[[Dockerfile, LowerOptions, Bridge], LoweredTarget],
    ) -> None:
        self.dockerfile = dockerfile
        _check(options)
        self.options = options
        self.bridge = bridge
        self._lower = lower
        self.words = Words(dockerfile.escape)
        self.platforms = Platforms.of(options)
        self.build_args = effective_build_args(options)
        target = options.target or dockerfile.stages[-1].name
        self.predefined = platform_args(self.platforms, self.build_args, target)
        self.linter = options.linter or Linter.of(dockerfile.source, self.build_args, bridge.warn)
        self.global_args, self.declared_args = global_args(
            self.predefined, dockerfile.meta_args, self.build_args, self.words
        )
        self.proxy = proxy_env(self.build_args)
        self.contexts = NamedContexts(
            options.contexts,
            self.platforms.target,
            options.states,
            sessions=options.sessions,
            shared_keys=options.shared_keys,
        )
        self.stages = Stages()
        self.context_paths: set[str] = set()
        self.context = main_context(options, self._context_paths)
        self._images: dict[tuple[str, Platform], tuple[ResolvedImage, Image]] = {}
        self._epoch = Epoch()
        self._read_epoch()

    @cached_property
    def ignored(self) -> Matcher:
        """The patterns of files that are excluded from the main context."""
        return Matcher(self.options.excludes)

    def _read_epoch(self) -> None:
        """Read SOURCE_DATE_EPOCH, and replace it by its number everywhere: stages see the number only."""
        clock = Clock(
            self.dockerfile,
            self.build_args,
            self.global_args,
            self.declared_args,
            self.words,
            self.options.context,
            self.contexts,
            self.platforms.build[0],
            self.bridge,
            self.lower_target,
        )
        self._epoch = clock.read()
        put(self.build_args, self.epoch)
        put(self.global_args, self.epoch)
        if EPOCH in self.declared_args:
            value = self.global_args.get(EPOCH)
            self.declared_args[EPOCH] = evolve(self.declared_args[EPOCH], value=value)

    def resolve_image(self, ref: str, platform: Platform, log_name: str) -> tuple[ResolvedImage, Image]:
        """Resolve an image and parse its config; each image is resolved once."""
        key = ref, platform
        if key not in self._images:
            resolved = self.bridge.resolve_image(ref, platform, log_name=log_name)
            self._images[key] = resolved, parse_image(resolved.config)
        return self._images[key]

    def lower_target(self, target: str, context: str) -> LoweredTarget:
        """Lower another target of the file for the same platform, without the named context that refers to it."""
        contexts = {name: value for name, value in self.options.contexts.items() if name != context}
        options = evolve(
            self.options,
            target=target,
            contexts=contexts,
            linter=Linter.off(),
            # The number is passed as a build argument, so that the source isn't asked again.
            source_date_epoch=None,
            build_args={**self.options.build_args, EPOCH: "" if self.epoch is None else str(self.epoch)},
        )
        return self._lower(self.dockerfile, options, self.bridge)

    @property
    def epoch(self) -> int | None:
        """SOURCE_DATE_EPOCH, in seconds."""
        return self._epoch.seconds

    @property
    def epoch_source(self) -> SourceOp | None:
        """The source that SOURCE_DATE_EPOCH comes from."""
        op = self._epoch.source.vertex.op if self._epoch.source is not None else None
        return op if isinstance(op, SourceOp) else None

    @property
    def created(self) -> str | None:
        """The time of history entries; None leaves the choice to the exporter."""
        return None if self.epoch is None else format_seconds(self.epoch)

    @property
    def timestamp(self) -> int | None:
        """The time of files that the build makes, in nanoseconds; None is the time at which they are made."""
        return None if self.epoch is None else self.epoch * NANOSECONDS

    def no_cache(self, stage_name: str) -> bool:
        names = self.options.no_cache_filter
        return self.options.steps.no_cache or stage_name.lower() in (name.lower() for name in names)

    def _context_paths(self) -> Iterable[str]:
        return self.context_paths
