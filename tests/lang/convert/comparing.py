"""A Dockerfile and the file of the language that it is converted to, both built as a user does, and compared."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from attrs import evolve, frozen
from tests.differential.comparing import differences, tree_differences
from tests.differential.imagetree import ReadImage, read_image
from tests.support.warm import program

from pybuild.cli.convert_context import ConvertContext
from pybuild.compiler import image
from pybuild.lang.convert import BaseImage, Conversion, convert_dockerfile
from pybuild.lang.convert.pythonsource import python_source
from pybuild.lang.dockerfile.parse import decode, parse
from pybuild.lang.source import Source
from pybuild.lang.textual.parse import parse as parse_text

BASE = "base"
"""The image reference that stands for the layout of a comparison."""

_OF_BASE = re.compile(r'(?<=from )"base(?::latest)?"|image\("base"\)')
_SECONDS = 120


class Surroundings(ConvertContext):
    """Those of the command, but for the image `base`, whose config is given."""

    def __init__(self, directory: str, config: dict[str, object] | None = None) -> None:
        super().__init__(directory, os.path.join(directory, "Dockerfile"), linked=False)
        self._config = config

    def base(self, reference: str, platform: str) -> BaseImage | None:
        if self._config is None:
            return None
        import json

        whole = {"architecture": "amd64", "os": "linux", "config": self._config, "rootfs": {"type": "layers"}}
        config = image.parse(json.dumps(whole).encode()).config
        environment = dict(entry.partition("=")[::2] for entry in config.env)
        environment.setdefault("PATH", image.DEFAULT_PATH)
        return BaseImage(environment, config.shell, config.on_build, config.user, config.working_dir)


@frozen
class Comparison:
    """The directory of a context with its Dockerfile, in which `FROM base` means an OCI layout, whose config may be
    given. `store` is shared with others."""

    directory: Path
    layout: Path
    store: Path
    config: dict[str, object] | None = None

    def converted(self) -> Conversion:
        data = (self.directory / "Dockerfile").read_bytes()
        with Surroundings(str(self.directory), self.config) as surroundings:
            return convert_dockerfile(parse(decode("Dockerfile", data)), surroundings)

    def differences(self, args: Sequence[str] = ()) -> list[str]:
        """What differs between the image and those of the file of the language and of the Python module that it is
        converted to, times and history left out. `args` are build arguments."""
        text = _OF_BASE.sub(f'oci("{self.layout}")', self.converted().text)
        # All files are in the context of all builds.
        (self.directory / "build.pybuild").write_text(text)
        (self.directory / "build.py").write_text(
            python_source(parse_text(Source("build.pybuild", text)).file)
        )
        build = [f"--build-context={BASE}=oci-layout://{self.layout}", "-f", "Dockerfile"]
        build += [f"--build-arg={arg}" for arg in args]
        theirs = self._build(build)
        found: list[str] = []
        for name in ("build.pybuild", "build.py"):
            ours = self._build(["-f", name, f"--allow=read={self.layout}", *(f"-p{arg}" for arg in args)])
            unlike = [*differences(_config(theirs), _config(ours)), *tree_differences(theirs.tree, ours.tree)]
            found += [f"{name}: {one}" for one in unlike]
        return found

    def _build(self, words: Sequence[str]) -> ReadImage:
        archive = self.directory.parent / f"{self.directory.name}.tar"
        done = program.run(
            ["build", "--progress=plain", "-o", f"type=oci,dest={archive}", *words, "."],
            cwd=self.directory,
            env={**os.environ, "PYBUILD_ROOT": str(self.store)},
            timeout=_SECONDS,
        )
        assert done.returncode == 0, done.stderr.decode()
        found = read_image(archive)
        archive.unlink()
        return found


def _config(image: ReadImage) -> dict[str, object]:
    """The config without what depends on the time, history, and what only Windows looks at."""
    config = {
        name: value for name, value in image.config.items() if name not in ("created", "history", "rootfs")
    }
    config["config"] = {
        name: value for name, value in (config.get("config") or {}).items() if name != "ArgsEscaped"
    }
    return config


__all__ = ["Comparison", "evolve"]
