"""The matcher against a model that never reads a pattern: patterns are made as elements and only written as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pybuild.lang.dockerfile.ignore import Matcher, read_patterns


@dataclass(frozen=True)
class Element:
    """`kind` is char (`text` itself), any (`?`), star (`*`), deep (`**`, or `**/` with a `text` of `/`), or class:
    one of the characters of `text`, with `negated` one of the others, the slash too."""

    kind: str
    text: str = ""
    negated: bool = False

    @property
    def plain(self) -> bool:
        return self.kind == "char" and self.text not in "*?[\\]"


def matches(elements: Sequence[Element], path: str) -> bool:
    """Whether the whole path is what the elements say."""
    if (
        elements
        and elements[0].kind == "deep"
        and len(elements) > 1
        and all(one.plain for one in elements[1:])
    ):
        rest = "".join(one.text for one in elements[1:])
        return path.endswith(elements[0].text + rest) or path == rest
    return whole(elements, path)


def whole(elements: Sequence[Element], path: str) -> bool:
    if not elements:
        return not path
    first, rest = elements[0], elements[1:]
    match first.kind:
        case "deep":
            if not rest:
                return True
            ends = [number + 1 for number, char in enumerate(path) if char == "/"]
            return any(whole(rest, path[end:]) for end in (0, *ends))
        case "star":
            name = path.partition("/")[0]
            return any(whole(rest, path[end:]) for end in range(len(name) + 1))
        case "any":
            fits = path[:1] not in ("", "/")
        case "class":
            fits = path != "" and (path[0] in first.text) != first.negated
        case _:
            fits = path[:1] == first.text
    return fits and whole(rest, path[1:])


Pattern = tuple[bool, Sequence[Element]]
"""Whether it is an exception, and what it matches."""


def verdicts(patterns: Sequence[Pattern], path: str) -> tuple[bool, list[bool]]:
    """Whether a path is ignored, and which patterns are seen to match it. What matches a directory matches what is
    in it; a pattern that could change nothing is not asked."""
    above, slash, _ = path.rpartition("/")
    inherited = verdicts(patterns, above)[1] if slash else [False] * len(patterns)
    ignored, seen = False, []
    for hit, (exception, elements) in zip(inherited, patterns, strict=True):
        if not hit and exception == ignored:
            hit = matches(elements, path)
        seen.append(hit)
        if hit:
            ignored = not exception
    return ignored, seen


def written(elements: Sequence[Element]) -> str:
    out = []
    for one in elements:
        match one.kind:
            case "deep":
                out.append("**" + one.text)
            case "star" | "any":
                out.append("*" if one.kind == "star" else "?")
            case "class":
                inside = "".join("\\" + char if char in "]\\-" else char for char in one.text)
                inside = inside.replace("abc", "a-c")
                out.append(f"[{'^' if one.negated else ''}{inside}]")
            case _:
                out.append("\\" + one.text if one.text in "*?[\\" else one.text)
    return "".join(out)


SLASH = Element("char", "/")
_ELEMENT = st.one_of(
    st.sampled_from("aabbcAé+$ *?[\\]-").map(lambda char: Element("char", char)),
    st.sampled_from([Element("any"), Element("star"), Element("star"), Element("deep"), SLASH, SLASH]),
    st.just(Element("deep", "/")),
    st.builds(
        Element, st.just("class"), st.sampled_from(["a", "abc", "abcA", "]é", "-a", "\\b"]), st.booleans()
    ),
)


def _sound(elements: Sequence[Element]) -> bool:
    """Whether the text reads as these elements, and is its own shortest path."""
    text = written(elements)
    kinds = [one.kind for one in elements]
    stars = any(a in ("star", "deep") and b in ("star", "deep") for a, b in pairwise(kinds))
    slashes = "//" in text or text.startswith("/") or text.endswith("/")
    # `**` takes a slash behind it along.
    taken = any(a == Element("deep") and b == SLASH for a, b in pairwise(elements))
    return not (stars or slashes or taken or text != text.strip() or elements[-1] == Element("deep", "/"))


_ELEMENTS = st.lists(_ELEMENT, min_size=1, max_size=6).filter(_sound)
_PATTERNS = st.lists(st.tuples(st.booleans(), _ELEMENTS), min_size=1, max_size=4)
_NAME = st.text("aabbcAé+*?[\\]- $", min_size=1, max_size=4)
_PATHS = st.lists(st.lists(_NAME, min_size=1, max_size=4).map("/".join), min_size=1, max_size=6)
_NOISE = st.lists(
    st.sampled_from(["{}", "{}/", "/{}", " {} ", "./{}", "x/../{}", "{}//", "\t{}\r"]), min_size=4, max_size=4
)


def _path(elements: Sequence[Element]) -> str:
    """A path that the elements are likely to match."""
    shown = {"any": "b", "star": "ab", "deep": "a/b/", "class": "a"}
    return "".join(one.text if one.kind == "char" else shown[one.kind] for one in elements).strip("/")


def _deep(*rest: str, slash: str = "/") -> list[Element]:
    return [Element("deep", slash), *(Element("char", char) for char in "".join(rest))]


@settings(max_examples=60, deadline=None)
@given(_PATTERNS, _PATHS, _NOISE)
@example([(False, _deep("a")), (True, _deep("a/b"))], ["a", "a/b", "c/a/b/c"], ["{}"] * 4)
@example([(False, _deep("a+", slash=""))], ["ba+", "a", "b/a+/c"], ["{}"] * 4)
@example([(False, [Element("class", "a", negated=True), SLASH, Element("deep")])], ["b/a", "b"], ["{}/"] * 4)
def test_the_model_agrees(patterns: list[Pattern], paths: list[str], noise: list[str]) -> None:
    lines = [
        ("!" if exception else "") + around.format(written(elements))
        for (exception, elements), around in zip(patterns, noise, strict=False)
    ]
    matcher = Matcher(read_patterns("\n".join(lines)))
    for elements in [elements for _, elements in patterns]:
        likely = _path(elements)
        paths = [*paths, likely, f"{likely}/a", f"a/{likely}"]
    paths = [path for path in paths if path and "//" not in path]
    assert [(path, matcher.matches(path)) for path in paths] == [
        (path, verdicts(patterns, path)[0]) for path in paths
    ]
