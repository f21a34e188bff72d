"""What a project refers to: repositories, files and images, on servers that a test changes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from hashlib import sha256

from tests.language.project import Project
from tests.runtime.registry.behaving import Registry
from tests.runtime.registry.images import Image, index_of, tar
from tests.runtime.sources.remote.conftest import Repositories
from tests.runtime.sources.remote.webserver import Web

from pybuild.runtime.image.descriptor import OCI_INDEX

FROM_HOST = '# pybuild: allow W0611\nlet box = host(["sh", "cat"])\n'


class Outside:
    def __init__(self, repositories: Repositories, git: Web, files: Web, registry: Registry) -> None:
        self.repositories = repositories
        self.git = git
        self.files = files
        self.registry = registry

    def repository(self, name: str, files: Mapping[str, str], *tags: str) -> str:
        """The address of a repository whose first commit has the files and the tags."""
        self.repositories.make(name, files)
        for tag in tags:
            self.repositories.tag(name, tag)
        return self.git.url(f"/{name}.git")

    def change(self, name: str, files: Mapping[str, str], *tags: str) -> str:
        """Another commit on main; its hash."""
        commit = self.repositories.commit(name, files)
        for tag in tags:
            self.repositories.tag(name, tag)
        return commit

    def file(self, name: str, text: str) -> str:
        self.files.files[f"/{name}"] = text.encode()
        return self.files.url(f"/{name}")

    def image(self, name: str, *, tag: str = "1", **files: str) -> tuple[str, str]:
        """The name of an image with these files for two platforms, and the digest of its index."""
        content = {path: text.encode() for path, text in files.items()}
        images = [Image(tar(**content), architecture=one) for one in ("amd64", "arm64")]
        for one in images:
            one.serve(self.registry, name)
        descriptor, data = index_of(*(one.entry for one in images))
        self.registry.tag(name, tag, OCI_INDEX, data)
        return f"{self.registry.host}/{name}:{tag}", descriptor.digest

    def asked(self) -> int:
        """How many requests there were."""
        return len(self.git.seen) + len(self.files.seen) + len(self.registry.requests)


def locked(project: Project) -> dict[str, dict[str, str]]:
    """The tables of the project's lock file."""
    found = tomllib.loads(project.text("pybuild.lock"))
    assert found.pop("version") == 1
    return found


def digest(text: str) -> str:
    return "sha256:" + sha256(text.encode()).hexdigest()
