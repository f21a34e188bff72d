"""Reports of the verifier: findings with their places, and the images it looked at."""

from __future__ import annotations

from pybuild.lang.diagnostics import UserError
from pybuild.runtime.verify.limits import MOST_FINDINGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CHANGED = "its bytes were changed or cut short: fetch or build the image again"
CONTRADICTS = (
    "two parts of the image contradict each other: build it again, with another program if that repeats it"
)
UNUSUAL = "programs may read this differently: write the image with another program"
HOSTILE = "don't unpack it: no program that packs a file system writes that"

_LONGEST_NAME = 200


class Unreadable(UserError):
    """A path leads to nothing that could be an image."""

    exit_code = 2


class Finding:
    """Something about an image: `where` names the piece (`layer sha256:…`, `index.json`), `path` leads to it through
    the descriptors (`index.json > manifests[0] > layers[2]`), `what` is the fact. A `note` is worth knowing, but the
    image is sound."""

    __slots__ = ("help", "note", "path", "what", "where")

    def __init__(self, where: str, what: str, *, path: str = "", help: str = "", note: bool = False) -> None:
        self.where = where
        self.what = what
        self.path = path
        self.help = help
        self.note = note

    def __repr__(self) -> str:
        return f"{self.where}: {self.what}"

    @property
    def title(self) -> str:
        """The fact as one sentence."""
        colon = ":" if self.what.startswith(("it ", "its ", "the ", "a ", "an ")) else ""
        return f"{self.where}{colon} {self.what}"


class Image:
    """An image that was looked at. `digest` is that of its manifest; of its config where it has no manifest. `size`
    is the bytes of manifest, config and layers as they are stored. `artifact` is the type of one that is no file
    system."""

    __slots__ = ("artifact", "digest", "layers", "platform", "size", "sound")

    def __init__(
        self, digest: str, platform: str, layers: int, size: int, *, sound: bool, artifact: str = ""
    ) -> None:
        self.digest = digest
        self.platform = platform
        self.layers = layers
        self.size = size
        self.sound = sound
        self.artifact = artifact


class Report:
    """The images of an archive and what was found about them."""

    def __init__(self) -> None:
        self.images: list[Image] = []
        self.findings: list[Finding] = []
        self.count = 0
        """Problems so far, also those that are repeated or too many to keep."""
        self._seen: set[str] = set()

    @property
    def problems(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.note]

    def add(self, finding: Finding) -> None:
        """Keep a finding, unless it is known from another path or there are MOST_FINDINGS."""
        self.count += not finding.note
        if len(self.findings) > MOST_FINDINGS or repr(finding) in self._seen:
            return
        if len(self.findings) == MOST_FINDINGS:
            finding = Finding("the image", "has more findings, which are left out", note=True)
        self._seen.add(repr(finding))
        self.findings.append(finding)

    def problem(self, where: str, what: str, path: str = "", help: str = "") -> None:
        self.add(Finding(where, what, path=path, help=help))

    def note(self, where: str, what: str, path: str = "") -> None:
        self.add(Finding(where, what, path=path, note=True))


class Tally:
    """Facts about the entries of one archive: of each kind the first is kept and the others are counted, as an
    archive may have the same fault a million times."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str, bool]] = {}
        self._count: dict[str, int] = {}

    def problem(self, kind: str, what: str, help: str = HOSTILE) -> None:
        self._first.setdefault(kind, (what, help, False))
        self._count[kind] = self._count.get(kind, 0) + 1

    def note(self, kind: str, what: str) -> None:
        self._first.setdefault(kind, (what, "", True))
        self._count[kind] = self._count.get(kind, 0) + 1

    def facts(self) -> list[tuple[str, str, bool]]:
        """Return each kind's text, help, and whether it is a note."""
        facts = []
        for kind, (what, help, note) in self._first.items():
            more = self._count[kind] - 1
            facts.append((f"{what}, and so {more} more" if more else what, help, note))
        return facts


def quoted(name: bytes | str) -> str:
    """Return a name for a message; the middle of a long one is left out."""
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
    if len(text) > _LONGEST_NAME:
        half = _LONGEST_NAME // 2
        text = f"{text[:half]}…{text[-half:]}"
    return f"`{text}`"


def joined(names: Sequence[str], most: int = 3) -> str:
    """Return `a, b, c and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
