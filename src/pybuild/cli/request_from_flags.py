"""From the command line to a BuildRequest: positional words, values of flags, configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pybuild.lang.diagnostics import UsageError, UserError, suggest
from pybuild.request import values
from pybuild.request.call import checked_call, one_call
from pybuild.request.config.defaults import complete
from pybuild.request.flags import PROGRESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pybuild.request.request import BuildRequest

_NAME = re.compile(r"[A-Za-z0-9_][\w.-]*")
_FILE = re.compile(r"dockerfile|containerfile|\.py(build)?$", re.IGNORECASE)
_INSTANCE = re.compile(r"[A-Za-z_][\w.-]*\[.*\]", re.DOTALL)

_CONVERSIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tag": ("tags", tuple),
    "target": ("targets", lambda text: (text,)),
    "param": ("params", values.params),
    "params": ("params_files", tuple),
    "build_arg": ("build_args", values.build_args),
    "build_context": ("build_contexts", values.build_contexts),
    "platform": ("platforms", values.listed),
    "output": ("outputs", tuple),
    "label": ("labels", values.labels),
    "annotation": ("annotations", values.annotation_texts),
    "no_cache_filter": ("no_cache_filter", values.listed),
    "network": ("network", values.network),
    "allow": ("allow", values.entitlements),
    "add_host": ("add_hosts", values.add_hosts),
    "ulimit": ("ulimits", values.ulimits),
    "shm_size": ("shm_size", values.size),
    "secret": ("secrets", values.secrets),
    "ssh": ("ssh", values.agents),
    "max_parallelism": ("parallelism", values.parallelism),
    "call": ("call", checked_call),
}
"""Conversions of parameters: the field of BuildRequest, and the function. Other values are taken as they
are."""
_ATTESTATIONS = ("provenance", "sbom", "attest")


def request(words: Sequence[str], flags: Mapping[str, Any]) -> BuildRequest:
    """Return the request of positional `words` and `flags` (by parameter name; None, False and () count
    as not given), with the defaults of the configuration files. Raises UsageError."""
    targets, context = positionals(words)
    for name in _ATTESTATIONS:
        value = flags.get(name) or ()
        for text in (value,) if isinstance(value, str) else value:
            values.no_attestation(f"--{name}", text)
    fields: dict[str, Any] = {}
    for name, value in one_call(flags).items():
        if value is None or value == () or name in _ATTESTATIONS:
            continue
        field, convert = _CONVERSIONS.get(name, (name, _unchanged))
        fields[field] = convert(value)
    if fields.get("network") == "default":
        fields["isolate_network"] = True  # a private network was asked for by name
    if targets:
        if fields.get("targets", targets) != targets:
            raise UsageError(
                f"two targets: {' '.join(targets)} and --target={fields['targets'][0]}", help="leave one out"
            )
        fields["targets"] = targets
    if not fields.get("ssh") and _by_ssh(context) and os.environ.get("SSH_AUTH_SOCK"):
        fields["ssh"] = ("default",)
    progress = _progress(fields.get("progress"))
    if progress:
        fields["progress"] = progress
    return complete(context, fields, flags=flags.keys())


def _by_ssh(context: str) -> bool:
    """Report whether the context is a repository that is reached by SSH: buildx forwards the user's agent to
    such a build."""
    if "@" not in context and not context.startswith("ssh://"):
        return False
    from pybuild.compiler.giturl import parse_git_ref
    from pybuild.compiler.sources import git_remote

    try:
        ref = parse_git_ref(context)
        return ref is not None and not os.path.isdir(context) and git_remote(ref.remote)[3]
    except UserError:
        return False


def _unchanged(value: Any) -> Any:
    return value


def positionals(words: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Return the targets and the context that the words name. Raises UsageError."""
    targets = tuple(word for word in words if _is_target(word))
    contexts = [word for word in words if not _is_target(word)]
    if len(contexts) > 1:
        raise UsageError("a build has one context, not " + " and ".join(contexts))
    if targets and contexts:
        raise UsageError(
            f"{targets[0]} would be a target and {contexts[0]} the context",
            help=f"write pybuild build --target {targets[0]} {contexts[0]}",
        )
    return targets, (contexts[0] if contexts else ".")


def _is_target(word: str) -> bool:
    """Report whether a word is a target: NAME if no directory has that name, NAME[…] always; `.`, `-` and
    words with a `/` never."""
    if _INSTANCE.fullmatch(word):
        return True
    return bool(_NAME.fullmatch(word)) and not os.path.isdir(word)


def _progress(flag: str | None) -> str | None:
    """Return the flag, else BUILDKIT_PROGRESS. Raises UsageError for an unknown kind."""
    origin, value = "--progress", flag
    if value is None:
        origin, value = "BUILDKIT_PROGRESS", os.environ.get("BUILDKIT_PROGRESS") or None
    if value is not None and value not in PROGRESS:
        near = suggest(value, PROGRESS)
        raise UsageError(
            f"{origin}: unknown kind of progress {value!r}",
            help=f"did you mean {near}?" if near else "choose one of " + ", ".join(PROGRESS),
        )
    return value


def files_and_targets(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide words into those that are or look like files and directories, and targets. Raises UsageError for
    targets of several files."""
    files = tuple(word for word in words if _is_file(word))
    targets = tuple(word for word in words if not _is_file(word))
    if targets and len(files) > 1:
        raise UsageError(
            f"{targets[0]} would be a target of several files: {', '.join(files)}", help="name one file"
        )
    return files, targets


def _is_file(word: str) -> bool:
    if _INSTANCE.fullmatch(word):
        return False
    return not _NAME.fullmatch(word) or os.path.exists(word) or bool(_FILE.search(word))


def with_targets(flags: Mapping[str, Any], targets: tuple[str, ...]) -> Mapping[str, Any]:
    """Add targets that words name to the given flags. Raises UsageError if a flag names one too."""
    if not targets:
        return flags
    if flags.get("target"):
        raise UsageError(
            f"two targets: {' '.join(targets)} and --target={flags['target']}", help="leave one out"
        )
    return {**flags, "targets": targets}


def graph_request(path: str | None, flags: Mapping[str, Any]) -> BuildRequest:
    """Return the request for the graph of one build file, or of the one in a directory. Raises UsageError."""
    if path is None or path == "-" or os.path.isdir(path):
        return request(
            [path or "."] if path != "-" else [], {**flags, **({"file": "-"} if path == "-" else {})}
        )
    if flags.get("file"):
        raise UsageError(
            f"two build files: {path} and --file={flags['file']}", help="give the second as a directory"
        )
    if not os.path.exists(path):
        raise UsageError(f"there is no file {path}", help="name a build file, or a directory that has one")
    return request([os.path.join(os.path.dirname(path) or ".", "")], {**flags, "file": path})
