"""Shell completion: a script for each shell, made from the flags; only names of stages need pybuild to run.

The scripts call `pybuild __stages WORD…` with the words of the command line for what `--target` may be.
"""

from __future__ import annotations

import os
import re

from pybuild.flags import FLAGS, SWITCH, Flag

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
    "fmt": "Format build files",
    "graph": "Print the graph of a build",
    "prune": "Remove what the store holds",
    "version": "Print the version",
}
_FORMAT = Flag("format", "text", "FORMAT", "Form of the graph: json, llb or dot.", words=FORMATS)
_CHECK = (
    Flag("fix", SWITCH, "", "Put right what has a mechanical fix."),
    Flag("format", "text", "FORMAT", "Form of the findings: text or json.", words=("text", "json")),
)
_CHECKED = ("build-arg", "build-context", "target", "platform", "pull")
_FMT = (
    Flag("check", SWITCH, "", "List the files that would change; write nothing."),
    Flag("diff", SWITCH, "", "Print what would change; write nothing."),
)
_PRUNE = (
    Flag("all", SWITCH, "", "Remove the whole store.", short="a"),
    Flag("force", SWITCH, "", "Do not ask.", short="f"),
)

_WITH_PATHS = ("build", "check", "fmt", "graph")

_STAGE = re.compile(r"^[ \t]*FROM[ \t].*?[ \t]AS[ \t]+([A-Za-z][\w.-]*)", re.IGNORECASE | re.MULTILINE)


def command_flags(command: str) -> tuple[Flag, ...]:
    """The flags of a command, for completion and for help."""
    if command == "build":
        return FLAGS
    if command == "graph":
        return (_FORMAT, *(flag for flag in FLAGS if flag.graph))
    if command == "check":
        return (*_CHECK, *(flag for flag in FLAGS if flag.long in _CHECKED))
    return {"prune": _PRUNE, "fmt": _FMT}.get(command, ())


def script(shell: str) -> str:
    """The completion script for one of SHELLS."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def stages(words: Sequence[str]) -> list[str]:
    """Names of the stages of the build file that the words of a command line mean. Never raises."""
    file, context = None, "."
    rest = iter(words)
    valued = {name for flag in FLAGS if flag.kind != SWITCH for name in (flag.spelling, f"-{flag.short}")}
    for word in rest:
        if word in ("-f", "--file"):
            file = next(rest, None)
        elif word.startswith("--file="):
            file = word.partition("=")[2]
        elif word in valued:
            next(rest, None)
        elif not word.startswith("-") and os.path.isdir(word):
            context = word
    paths = [file] if file else [os.path.join(context, name) for name in ("Dockerfile", "Containerfile")]
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                return list(dict.fromkeys(_STAGE.findall(lines.read())))
        except (OSError, ValueError):
            continue
    return []


def _spellings(flag: Flag) -> list[str]:
    return [flag.spelling, *([f"-{flag.short}"] if flag.short else [])]


def _bash() -> str:
    commands = " ".join(COMMANDS)
    cases = "\n".join(_bash_command(command) for command in COMMANDS)
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


def _bash_command(command: str) -> str:
    flags = command_flags(command)
    out = [f"    {command})"]
    cases = []
    for flag in flags:
        if flag.kind == SWITCH:
            continue
        pattern = " | ".join(_spellings(flag))
        if flag.long == "target":
            words = f'$("${{COMP_WORDS[0]}}" {STAGES_COMMAND} "${{COMP_WORDS[@]:2}}" 2>/dev/null)'
            cases.append(f'            {pattern}) COMPREPLY=( $(compgen -W "{words}" -- "$cur") ); return ;;')
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
        out += ["        else", f"            compopt -o {'dirnames' if command == 'build' else 'default'}"]
    out += ["        fi", "        ;;"]
    return "\n".join(out)


def _zsh() -> str:
    commands = "\n".join(f"        {_zsh_quoted(f'{name}:{text}')}" for name, text in COMMANDS.items())
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
    lines = [_zsh_quoted(line) for flag in command_flags(command) for line in _zsh_flag(flag)]
    lines.append("'--help[Show help]'")
    if command == "completion":
        lines.append(f"'1:shell:({' '.join(SHELLS)})'")
    elif command in _WITH_PATHS:
        lines.append("'*:context:_files -/'" if command == "build" else "'*:file:_files'")
    joined = " \\\n                ".join(lines)
    return f"        {command})\n            _arguments \\\n                {joined}\n            ;;"


def _zsh_flag(flag: Flag) -> Iterator[str]:
    """The lines of one flag for `_arguments`: name, help, what its value may be."""
    help = flag.help.rstrip(".").replace("[", "(").replace("]", ")").replace(":", " -")
    many = "*" if flag.kind == "many" else ""
    if flag.kind == SWITCH:
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


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


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
            f"-a {name} -d {_fish_quoted(text)}"
        )
        used = f"-n '__fish_seen_subcommand_from {name}'"
        out.extend(f"complete -c pybuild {used} {_fish_flag(flag)}" for flag in command_flags(name))
        if name == "completion":
            out.append(f"complete -c pybuild {used} -a '{' '.join(SHELLS)}'")
        elif name in _WITH_PATHS:
            paths = "__fish_complete_directories" if name == "build" else "__fish_complete_path"
            out.append(f"complete -c pybuild {used} -a '({paths})'")
    return "\n".join(out) + "\n"


def _fish_flag(flag: Flag) -> str:
    short = f"-s {flag.short} " if flag.short else ""
    text = f"{short}-l {flag.long} -d {_fish_quoted(flag.help.rstrip('.'))}"
    if flag.kind == SWITCH:
        return text
    if flag.long == "target":
        return f"{text} -x -a '(set -l t (commandline -opc); $t[1] {STAGES_COMMAND} $t[3..-1] 2>/dev/null)'"
    if flag.words:
        return f"{text} -x -a '{' '.join(flag.words)}'"
    return f"{text} -r -F" if flag.files or flag.long == "output" else f"{text} -x"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
