"""Shell completion: a script for each shell, generated from the flags. Only names of stages need pybuild to run.

The scripts call `pybuild __stages WORD…` with the words of the command line for the values of `--target`.
"""

from __future__ import annotations

import os
import re

from pybuild.request.flags import FLAGS, OPTIONAL, SWITCH, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STAGES_COMMAND = "__stages"
SHELLS = ("bash", "zsh", "fish")
FORMATS = ("json", "llb", "dot")

COMMANDS = {
    "build": "Build an image",
    "check": "Check build files",
    "completion": "Print a completion script for a shell",
    "convert": "Convert a build file to another kind",
    "doctor": "Tell what builds can do on this machine",
    "explain": "Explain a message by its code",
    "fmt": "Format build files",
    "graph": "Print the graph of a build",
    "init": "Write a first build file",
    "list": "List the targets of a build file",
    "lock": "Pin what a build file refers to",
    "prune": "Remove what the store holds",
    "serve": "Serve BuildKit's clients",
    "solve": "Solve a graph that another client made",
    "test": "Run the tests of a build file",
    "trust": "Let a project have what it requests",
    "verify": "Verify images in files",
    "version": "Print the version",
}
_FORMAT = Flag("format", "text", "FORMAT", "Form of the graph: json, llb or dot.", words=FORMATS)
_LINKED = Flag("linked", SWITCH, "", "Resolve references through pybuild.lock and the network.")
_CHECK = (
    Flag("fix", SWITCH, "", "Put right what has a mechanical fix."),
    Flag("format", "text", "FORMAT", "Form of the findings: text or json.", words=("text", "json")),
)
_RERUN = Flag("rerun", SWITCH, "", "Run tests also where nothing changed.")
_UNTESTED = (
    "tag",
    "output",
    "push",
    "load",
    "annotation",
    "iidfile",
    "metadata-file",
    "call",
    "check",
    "print",
)
_LIST = Flag("format", "text", "FORMAT", "Form of the list: text or json.", words=("text", "json"))
_FETCHED = ("locked", "secret", "ssh")
"""Flags that fetching a module may need."""
_CHECKED = (
    "file",
    "build-arg",
    "build-context",
    "target",
    "param",
    "params",
    "allow",
    "platform",
    "pull",
    *_FETCHED,
)
_UPDATE = Flag(
    "update", OPTIONAL, "PATTERN", "Move the entries whose keys match (default: all).", words=("*",)
)
_LOCKED = ("file", "param", "params", "platform", "allow", "progress", "quiet", *_FETCHED)
_FMT = (
    Flag("check", SWITCH, "", "List the files that would change; write nothing."),
    Flag("diff", SWITCH, "", "Print what would change; write nothing."),
)
_PRUNE = (
    Flag("all", SWITCH, "", "Remove the whole store.", short="a"),
    Flag("force", SWITCH, "", "Do not ask.", short="f"),
)
_TRUST = (
    Flag("list", SWITCH, "", "List what is remembered."),
    Flag("revoke", SWITCH, "", "Forget what is remembered of DIRECTORY."),
)
_DOCTOR = (Flag("format", "text", "FORMAT", "Form of the report: text or json.", words=("text", "json")),)
_VERIFY = (
    Flag("format", "text", "FORMAT", "Form of the report: text or json.", words=("text", "json")),
    Flag("max-layer-size", "text", "SIZE", "Stop reading a layer that has more bytes (default: 32g)."),
)
_CONVERT = (
    Flag("to", "text", "KIND", "Kind of the result: pybuild or python.", words=("pybuild", "python")),
    Flag(
        "output", "text", "FILE", "Where the result goes (default: standard output).", short="o", files=True
    ),
    Flag("context", "text", "DIR", "What a Dockerfile copies from (default: its directory).", files=True),
    Flag("linked", SWITCH, "", "Look at the configs of base images."),
    Flag("force", SWITCH, "", "Write over a file that is there.", short="f"),
)
_SOLVE = (
    Flag("definition", "text", "FILE", "The graph, a pb.Definition (default: standard input).", files=True),
    Flag("frontend", "text", "NAME", "Frontend that makes the graph.", words=("dockerfile.v0", "gateway.v0")),
    Flag("opt", "many", "NAME=VALUE", "Attribute of the frontend."),
    Flag("local", "many", "NAME=DIRECTORY", "Directory that the graph calls by a name."),
    Flag("oci-layout", "many", "NAME=PATH", "OCI layout that the graph calls by a name."),
)
_SOLVED = (
    "tag",
    "output",
    "push",
    "load",
    "annotation",
    "no-cache",
    "pull",
    "allow",
    "secret",
    "ssh",
    "max-parallelism",
    "progress",
    "quiet",
    "iidfile",
    "metadata-file",
)

_ALONE = (SWITCH, OPTIONAL)
"""Kinds of flags that may stand without a value."""

_WITH_PATHS = ("build", "check", "convert", "fmt", "graph", "init", "list", "lock", "test", "trust", "verify")
_WITH_DIRECTORIES = ("build", "init", "lock", "test", "trust")
_WITH_TARGETS = ("build", "check", "graph", "lock", "test")

_MODULE = ".py"
_BUILD_FILES = ("build.pybuild", "Dockerfile", "Containerfile", f"build{_MODULE}")
_LONGEST = 1 << 20
_DECLARED = re.compile(r"^(?:target|test|group)[ ]+([A-Za-z][A-Za-z0-9_]*)", re.MULTILINE)
_STAGE = re.compile(r"^[ \t]*FROM[ \t].*?[ \t]AS[ \t]+([A-Za-z][\w.-]*)", re.IGNORECASE | re.MULTILINE)


def command_flags(command: str) -> tuple[Flag, ...]:
    """Return the flags of a command, for completion and for help."""
    if command == "build":
        return FLAGS
    if command == "test":
        dockerfile = ("build-arg", "build-context", "no-cache-filter", "provenance", "sbom", "attest")
        return (_RERUN, *(flag for flag in FLAGS if flag.long not in (*_UNTESTED, *dockerfile)))
    if command == "graph":
        return (_FORMAT, _LINKED, *(flag for flag in FLAGS if flag.graph or flag.long == "allow"))
    if command == "check":
        return (*_CHECK, *(flag for flag in FLAGS if flag.long in _CHECKED))
    if command == "list":
        return (_LIST, *(flag for flag in FLAGS if flag.long in ("file", *_FETCHED)))
    if command == "solve":
        return (*_SOLVE, *(flag for flag in FLAGS if flag.long in _SOLVED))
    if command == "lock":
        return (_UPDATE, *(flag for flag in FLAGS if flag.long in _LOCKED))
    own = {
        "prune": _PRUNE,
        "fmt": _FMT,
        "convert": _CONVERT,
        "trust": _TRUST,
        "verify": _VERIFY,
        "doctor": _DOCTOR,
    }
    return own.get(command, ())


def script(shell: str) -> str:
    """Return the completion script for one of SHELLS."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def stages(words: Sequence[str]) -> list[str]:
    """Return the names that the build file of a command line declares: stages, or targets, tests and groups,
    found in its lines without parsing it. A Python module is not run: its names are those of the last time that it
    was. Never raises."""
    file, context = None, "."
    remaining = iter(words)
    valued = {name for flag in FLAGS if flag.kind not in _ALONE for name in (flag.spelling, f"-{flag.short}")}
    for word in remaining:
        if word in ("-f", "--file"):
            file = next(remaining, None)
        elif word.startswith("--file="):
            file = word.partition("=")[2]
        elif word in valued:
            next(remaining, None)
        elif not word.startswith("-") and os.path.isdir(word):
            context = word
    paths = [file] if file else [os.path.join(context, name) for name in _BUILD_FILES]
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                text = lines.read(_LONGEST)
        except (OSError, ValueError):
            continue
        if path.endswith(_MODULE):
            from pybuild.language.parse_cache import known_names

            return known_names(path)
        pattern = _DECLARED if _is_language(path, text) else _STAGE
        return list(dict.fromkeys(pattern.findall(text)))
    return []


def _is_language(path: str, text: str) -> bool:
    first = text.partition("\n")[0].replace(" ", "")
    return first.startswith("#syntax=pybuild:") or (path.endswith(".pybuild") and "#syntax=" not in first)


def _spellings(flag: Flag) -> list[str]:
    return [flag.spelling, *([f"-{flag.short}"] if flag.short else [])]


def _bash() -> str:
    commands = " ".join(COMMANDS)
    cases = "\n".join(_bash_command(command) for command in COMMANDS)
    # bash breaks words at `=` too, so `--flag=value` comes as three of them.
    return f"""# bash completion for pybuild; load it with:  source <(pybuild completion bash)
_pybuild() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command=${{COMP_WORDS[1]}}
    local flags= files= stages= IFS=$' \\t\\n'
    COMPREPLY=()
    if [[ $cur == '=' ]]; then
        cur=
    elif [[ $prev == '=' ]]; then
        prev=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    if (( COMP_CWORD == 1 )); then
        COMPREPLY=( $(compgen -W '{commands} --help --version' -- "$cur") )
        return
    fi
    case $command in
{cases}
    esac
}}
complete -F _pybuild pybuild
"""


_BASH_STAGES = f'$("${{COMP_WORDS[0]}}" {STAGES_COMMAND} "${{COMP_WORDS[@]:2}}" 2>/dev/null)'


def _bash_command(command: str) -> str:
    flags = command_flags(command)
    out = [f"    {command})"]
    cases = []
    for flag in flags:
        if flag.kind in _ALONE:
            continue
        pattern = " | ".join(_spellings(flag))
        if flag.long == "target":
            cases.append(
                f'            {pattern}) COMPREPLY=( $(compgen -W "{_BASH_STAGES}" -- "$cur") ); return ;;'
            )
        elif flag.words:
            words = " ".join(flag.words)
            cases.append(
                f"            {pattern}) COMPREPLY=( $(compgen -W '{words}' -- \"$cur\") ); return ;;"
            )
        elif flag.files or flag.long == "output":
            cases.append(f"            {pattern}) compopt -o default; return ;;")
        else:
            cases.append(f"            {pattern}) return ;;")
    if cases:
        out += ["        case $prev in", *cases, "        esac"]
    names = " ".join(name for flag in flags for name in _spellings(flag))
    words = {"completion": " ".join(SHELLS)}.get(command, "")
    out.append("        if [[ $cur == -* ]]; then")
    out.append(f"            COMPREPLY=( $(compgen -W '{(names + ' --help').strip()}' -- \"$cur\") )")
    if words:
        out += ["        else", f"            COMPREPLY=( $(compgen -W '{words}' -- \"$cur\") )"]
    elif command in _WITH_PATHS:
        out += ["        else"]
        if command in _WITH_TARGETS:
            out += [f'            COMPREPLY=( $(compgen -W "{_BASH_STAGES}" -- "$cur") )']
        out += [f"            compopt -o {'plusdirs' if command in _WITH_DIRECTORIES else 'default'}"]
    out += ["        fi", "        ;;"]
    return "\n".join(out)


def _zsh() -> str:
    commands = "\n".join(f"        {_zsh_quote(f'{name}:{text}')}" for name, text in COMMANDS.items())
    cases = "\n".join(_zsh_command(command) for command in COMMANDS)
    return f"""#compdef pybuild
# zsh completion for pybuild; load it with:  source <(pybuild completion zsh)
_pybuild_stages() {{
    local -a names
    names=(${{(f)"$($program {STAGES_COMMAND} ${{words[2,-1]}} 2>/dev/null)"}})
    compadd -a names
}}
_pybuild() {{
    local context state line program=$words[1]
    local -a commands
    commands=(
{commands}
    )
    _arguments -C '--help[Show help]' '--version[Show the version]' '1:command:->command' '*::argument:->rest'
    case $state in
    command) _describe command commands ;;
    rest)
        case $words[1] in
{cases}
        esac
        ;;
    esac
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _pybuild "$@"
else
    compdef _pybuild pybuild
fi
"""


def _zsh_command(command: str) -> str:
    lines = [_zsh_quote(line) for flag in command_flags(command) for line in _zsh_flag(flag)]
    lines.append("'--help[Show help]'")
    if command == "completion":
        lines.append(f"'1:shell:({' '.join(SHELLS)})'")
    elif command in _WITH_PATHS:
        paths = "_files -/" if command in _WITH_DIRECTORIES else "_files"
        words = f"{{ _pybuild_stages; {paths} }}" if command in _WITH_TARGETS else paths
        lines.append(f"'*:word:{words}'")
    joined = " \\\n                ".join(lines)
    return f"        {command})\n            _arguments \\\n                {joined}\n            ;;"


def _zsh_flag(flag: Flag) -> Iterator[str]:
    """Return the lines of one flag for `_arguments`: name, help, possible values."""
    help = flag.help.rstrip(".").replace("[", "(").replace("]", ")").replace(":", " -")
    many = "*" if flag.kind == "many" else ""
    if flag.kind in _ALONE:
        action = ""
    elif flag.long == "target":
        action = ":stage:_pybuild_stages"
    elif flag.words:
        action = f":value:({' '.join(flag.words)})"
    else:
        action = ":path:_files" if flag.files or flag.long == "output" else ":value: "
    for name in _spellings(flag):
        equals = "=" if action and name.startswith("--") else ""
        yield f"{many}{name}{equals}[{help}]{action}"


def _zsh_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


_FISH_STAGES = f"set -l t (commandline -opc); $t[1] {STAGES_COMMAND} $t[3..-1] 2>/dev/null"


def _fish() -> str:
    names = " ".join(COMMANDS)
    out = [
        "# fish completion for pybuild; load it with:  pybuild completion fish | source",
        f"set -l commands {names}",
        "complete -c pybuild -f",
        "complete -c pybuild -l help -d 'Show help'",
    ]
    for name, text in COMMANDS.items():
        out.append(
            'complete -c pybuild -n "not __fish_seen_subcommand_from $commands" '
            f"-a {name} -d {_fish_quote(text)}"
        )
        condition = f"-n '__fish_seen_subcommand_from {name}'"
        out.extend(f"complete -c pybuild {condition} {_fish_flag(flag)}" for flag in command_flags(name))
        if name == "completion":
            out.append(f"complete -c pybuild {condition} -a '{' '.join(SHELLS)}'")
        elif name in _WITH_PATHS:
            paths = "__fish_complete_directories" if name in _WITH_DIRECTORIES else "__fish_complete_path"
            out.append(f"complete -c pybuild {condition} -a '({paths})'")
            if name in _WITH_TARGETS:
                out.append(f"complete -c pybuild {condition} -a '({_FISH_STAGES})'")
    return "\n".join(out) + "\n"


def _fish_flag(flag: Flag) -> str:
    short = f"-s {flag.short} " if flag.short else ""
    text = f"{short}-l {flag.long} -d {_fish_quote(flag.help.rstrip('.'))}"
    if flag.kind in _ALONE:
        return text
    if flag.long == "target":
        return f"{text} -x -a '({_FISH_STAGES})'"
    if flag.words:
        return f"{text} -x -a '{' '.join(flag.words)}'"
    return f"{text} -r -F" if flag.files or flag.long == "output" else f"{text} -x"


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
