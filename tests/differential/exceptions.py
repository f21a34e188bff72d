"""The differences of `exceptions.md`: from what Docker's BuildKit makes to what the newer one makes.

A case names the differences it needs. Of history entries it gives the whole text the newer BuildKit writes, so
that nothing here depends on what pybuild says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, frozen
from tests.differential.imagetree import ReadImage, platform_name

Config = dict[str, Any]


@frozen
class Needed:
    """An exception as a case names it: `texts` are the lines it gives."""

    name: str
    texts: tuple[str, ...] = ()


@frozen
class VersionDifference:
    """`expected` gets Docker's image (the config without times) and the case's texts. `docker_accepts`: Docker
    builds what the newer one refuses. `lines_off`: how far Docker's line of a refusal is from the fault."""

    expected: Callable[[ReadImage, tuple[str, ...]], ReadImage] | None = None
    docker_accepts: bool = False
    lines_off: int = 0


def expected_image(image: ReadImage, needed: Iterable[Needed]) -> ReadImage:
    """Docker's image with the differences applied. Each must change something.

    In the texts `{platform}` and `{architecture}` are the image's.
    """
    platform, architecture = platform_name(image.config), image.config["architecture"]
    for one in needed:
        difference = EXCEPTIONS[one.name]
        if difference.expected is None:
            raise ValueError(f"{one.name} is about refusals")
        texts = [text.replace("{platform}", platform) for text in one.texts]
        texts = [text.replace("{architecture}", architecture) for text in texts]
        changed = difference.expected(image, tuple(texts))
        if changed == image:
            raise ValueError(f"the exception {one.name} changes nothing")
        image = changed
    return image


def _history(instruction: str) -> VersionDifference:
    """The entries of this instruction, in their order, have the texts the case gives."""

    def expected(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
        left = list(texts)
        history = []
        for entry in image.config["history"]:
            if entry["created_by"].split(" ")[0] == instruction:
                entry = {**entry, "created_by": left.pop(0)}
            history.append(entry)
        if left:
            raise ValueError(f"Docker's history has fewer entries of {instruction} than the case")
        return evolve(image, config={**image.config, "history": history})

    return VersionDifference(expected)


def _copy_entries(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """Each text is the entry of a COPY or ADD, in their order."""
    left = list(texts)
    history = [
        {**entry, "created_by": left.pop(0)}
        if left and entry["created_by"].startswith(("COPY ", "ADD "))
        else entry
        for entry in image.config["history"]
    ]
    if left:
        raise ValueError("Docker's history has fewer entries of COPY and ADD than the case")
    return evolve(image, config={**image.config, "history": history})


def _trailing_text(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    (text,) = texts
    config = {**image.config["config"], "Cmd": ["/bin/sh", "-c", text]}
    quoted = text.replace('"', '\\"')
    last = {**image.config["history"][-1], "created_by": f'CMD ["/bin/sh" "-c" "{quoted}"]'}
    history = [*image.config["history"][:-1], last]
    return evolve(image, config={**image.config, "config": config, "history": history})


def _layer_attributes(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """Texts are `PATH NAME=VALUE`."""
    tree = dict(image.tree)
    for text in texts:
        path, _, attribute = text.partition(" ")
        name, _, value = attribute.partition("=")
        entry = tree[path.encode()]
        tree[path.encode()] = evolve(entry, xattrs=tuple(sorted([*entry.xattrs, (name, value)])))
    return evolve(image, tree=tree)


def _linked_to_lower(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """A text is the paths of one file."""
    tree = dict(image.tree)
    for text in texts:
        links = frozenset(path.encode() for path in text.split())
        for path in links:
            tree[path] = evolve(tree[path], links=links)
    return evolve(image, tree=tree)


def _archive_owner(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """Texts are `PATH UID:GID`."""
    tree = dict(image.tree)
    for text in texts:
        path, _, owner = text.partition(" ")
        uid, _, gid = owner.partition(":")
        tree[path.encode()] = evolve(tree[path.encode()], uid=int(uid), gid=int(gid))
    return evolve(image, tree=tree)


def _on_build(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """Texts are the triggers of the image."""
    config = {**image.config["config"], "OnBuild": list(texts)}
    return evolve(image, config={**image.config, "config": config})


def _no_trigger(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """A text is the pair of an ENV that no trigger made."""
    (pair,) = texts
    config = image.config["config"]
    config = {**config, "Env": [entry for entry in config["Env"] if entry != pair]}
    history = [entry for entry in image.config["history"] if entry["created_by"] != f"ENV {pair}"]
    return evolve(image, config={**image.config, "config": config, "history": history})


def _unnamed_layer(image: ReadImage, texts: tuple[str, ...]) -> ReadImage:
    """The text is that of the last entry."""
    *first, last = image.config["history"]
    history = [*first, {**last, "created_by": texts[0]}]
    return evolve(image, config={**image.config, "history": history})


EXCEPTIONS: dict[str, VersionDifference] = {
    "arg-values": _history("ARG"),
    "run-arguments": _history("RUN"),
    "expose-list": _history("EXPOSE"),
    "healthcheck-text": _history("HEALTHCHECK"),
    "trailing-text": VersionDifference(_trailing_text),
    "layer-attributes": VersionDifference(_layer_attributes),
    "link-to-lower-layer": VersionDifference(_linked_to_lower),
    "archive-owner": VersionDifference(_archive_owner),
    "bare-global-argument": _history("ARG"),
    "global-argument-fault": VersionDifference(docker_accepts=True),
    "trigger-of-trigger": VersionDifference(_on_build),
    "replaced-stage-trigger": VersionDifference(_no_trigger),
    "unnamed-layer": VersionDifference(_unnamed_layer),
    "chmod-checked": VersionDifference(docker_accepts=True),
    "unknown-owner": VersionDifference(docker_accepts=True),
    "directive-line": VersionDifference(lines_off=-1),
    "copy-other-words": VersionDifference(_copy_entries),
}
