"""What the corpus is converted with: no context, and the images of its registry, if they may be looked at."""

from __future__ import annotations

from tests.corpus.registry import Registry
from tests.corpus.sample import MACHINE

from pybuild.cli.convert_context import ConvertContext
from pybuild.compiler import image
from pybuild.lang.convert import BaseImage
from pybuild.lang.diagnostics import Diagnostic
from pybuild.lang.source import Source
from pybuild.lang.textual import modules, tree
from pybuild.lang.textual.check.check import check
from pybuild.lang.textual.load import load


class Anywhere(ConvertContext):
    """An empty context; images are those of the corpus."""

    def __init__(self, directory: str, *, linked: bool) -> None:
        super().__init__(directory, None, linked=False)
        self._known = linked

    def base(self, reference: str, platform: str) -> BaseImage | None:
        if not self._known:
            return None
        config = image.parse(Registry().resolve_image(reference, MACHINE).config).config
        environment = dict(entry.partition("=")[::2] for entry in config.env)
        environment.setdefault("PATH", image.DEFAULT_PATH)
        return BaseImage(environment, config.shell, config.on_build, config.user, config.working_dir)

    def kind(self, path: str) -> str | None:
        return None

    def matches(self, pattern: str) -> tuple[str, ...] | None:
        return None


class _NoModules:
    def find(self, use: tree.Use, importer: modules.Module) -> modules.ModuleText:
        raise AssertionError("a converted file uses no module")


def mistakes(text: str) -> list[Diagnostic]:
    """The errors of a file of the language."""
    source = Source("build.pybuild", text)
    loaded = load(modules.ModuleText("build.pybuild", modules.ROOT, source, None), _NoModules())  # type: ignore[arg-type]
    assert loaded.program is not None
    found = [*loaded.diagnostics, *check(loaded.program)]
    return [one for one in found if one.level == "error"]
