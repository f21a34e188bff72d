"""Destinations of outputs, and the conflicts among them: E0904, E0709, E0710 (language spec, section 12)."""

from __future__ import annotations

import posixpath

from attrs import frozen

from pybuild.lang import recipe
from pybuild.lang.diagnostics import Diagnostic, SourceError
from pybuild.lang.textual.expand import globs
from pybuild.lang.textual.problems import expansion as problems
from pybuild.lang.textual.problems import security

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pybuild.lang.source import Span
    from pybuild.lang.textual.expand.options import ExpandOptions


def output_path(written: str, span: Span, options: ExpandOptions) -> str:
    """Return the absolute path of a destination, with its trailing `/` if it has one. Raises E0904."""
    path = posixpath.normpath(posixpath.join(options.directory, written))
    project = posixpath.normpath(options.project)
    if path != project and not path.startswith(project.rstrip("/") + "/"):
        raise SourceError(security.output_leaves(span, written))
    return f"{path}/" if written.endswith("/") and path != "/" else path


def holds_build_file(dest: str, options: ExpandOptions) -> bool:
    """Tell whether the directory of the root file is a destination, or below one."""
    above = dest.rstrip("/")
    return f"{posixpath.normpath(options.directory)}/".startswith(f"{above}/")


@frozen
class _Written:
    """A path or tag written by an instance: `title` is the instance's, `span` the statement's."""

    title: str
    span: Span
    goal: recipe.Goal
    instance: recipe.Instance


def collisions(goals: Sequence[recipe.Goal], options: ExpandOptions) -> Iterator[Diagnostic]:
    """Yield the conflicts between requested instances: equal output paths or tags."""
    yield from _outputs([instance for goal in goals for instance in goal.instances], options)
    yield from _tags(goals)


def _outputs(instances: Iterable[recipe.Instance], options: ExpandOptions) -> Iterator[Diagnostic]:
    written: dict[str, _Written] = {}
    cleaned: dict[str, _Written] = {}
    for instance in instances:
        for output in instance.outputs:
            if output.span is None:
                continue
            writer = _Written(_title(instance), output.span, instance.goal, instance)
            if output.clean:
                cleaned.setdefault(output.dest.rstrip("/"), writer)
            for path in _paths(output):
                earlier = written.setdefault(path, writer)
                if earlier.instance is not instance:
                    shown = posixpath.relpath(path, options.directory)
                    spans = (earlier.span, writer.span)
                    yield problems.outputs_collide(
                        shown, earlier.title, writer.title, spans, _advice(earlier, writer)
                    )
    for path, writer in written.items() if cleaned else ():
        yield from _emptied(path, writer, cleaned, options)


def _emptied(
    path: str, writer: _Written, cleaned: dict[str, _Written], options: ExpandOptions
) -> Iterator[Diagnostic]:
    """Yield a message if another instance empties a directory above a written path."""
    above = posixpath.dirname(path)
    while above not in ("/", ""):
        other = cleaned.get(above)
        if other is not None and other.instance is not writer.instance:
            shown = [posixpath.relpath(each, options.directory) for each in (path, above)]
            titles, spans = (writer.title, other.title), (writer.span, other.span)
            yield problems.cleaned_away(shown[0], shown[1], titles, spans)
            return
        above = posixpath.dirname(above)


def _paths(output: recipe.Output) -> Iterator[str]:
    """Yield the paths that an output certainly creates: the destination, or the named sources in that directory."""
    if not output.dest.endswith("/"):
        yield output.dest
        return
    for source in output.sources:
        name = posixpath.basename(source.path)
        if name not in ("", ".", "..") and not globs.is_pattern(source.path):
            yield output.dest + globs.literal(name)


def _title(instance: recipe.Instance) -> str:
    several = len(instance.goal.instances) > 1
    return f"{instance.goal.title} {instance.platform}" if several else instance.goal.title


def _advice(first: _Written, second: _Written) -> str:
    """Return advice on how to make two outputs differ."""
    if first.goal is second.goal:
        return 'put the platform into the path, as `"${{platform.arch}}/"`'
    if first.goal.name == second.goal.name:
        differing = [
            name
            for (name, one), (_, other) in zip(first.goal.axes, second.goal.axes, strict=False)
            if one != other
        ]
        if differing:
            return f"put `${{{{{differing[0]}}}}}` into the path"
    return "write to different paths, or build one of them at a time"


def _tags(goals: Sequence[recipe.Goal]) -> Iterator[Diagnostic]:
    tagged: dict[str, _Written] = {}
    for goal in goals:
        for instance in goal.instances:
            for tag in instance.tags:
                if tag.span is None:
                    continue
                writer = _Written(goal.title, tag.span, goal, instance)
                earlier = tagged.setdefault(_whole(tag.name), writer)
                if earlier.goal is not goal:
                    spans = (earlier.span, writer.span)
                    yield problems.tags_collide(
                        tag.name, earlier.title, writer.title, spans, _tag_advice(earlier, writer)
                    )


def _tag_advice(first: _Written, second: _Written) -> str:
    if first.goal.name == second.goal.name:
        return _advice(first, second).replace("into the path", "into the tag")
    return "give them different tags, or build one of them at a time"


def _whole(name: str) -> str:
    """Return a tag with the parts that short names leave out."""
    name = name.partition("@")[0]
    first, slash, rest = name.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = "docker.io", name
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return f"{first}/{rest}" if ":" in rest else f"{first}/{rest}:latest"
