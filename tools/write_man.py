#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages, and what shells complete, from what the program says of itself.

Usage: write_man.py PROGRAM DIRECTORY [--install [--destdir]]

With --install DIRECTORY is a prefix, such as /usr, and each file goes to its place there; with --destdir below
$DESTDIR, as `meson install` has it.

`gatehouse --help` names the commands, `gatehouse COMMAND --help` their options, and `gatehouse config --reference`
the options of the configuration; each of those is printed from a table of the program. So a new option is in its
page, and is completed, without a word here."""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys

OPTION = re.compile(r"^ {2,8}(-[^ ].*?)(?: {2,}(.*))?$")
FLAG = re.compile(r"(?:^|, )(--?[A-Za-z0-9][\w-]*)(?: ([^,]+))?")
# What a shell offers for the value of a flag, by what help calls it.
FILES = {"FILE", "DIRECTORY", "PATH"}


@dataclasses.dataclass
class Option:
    flags: list[str]   # ["-c", "--config"]
    value: str | None  # "FILE"
    text: str

    @property
    def shown(self) -> str:
        return ", ".join(self.flags) + (f" {self.value}" if self.value else "")

    @property
    def summary(self) -> str:
        """Its first sentence."""
        return re.split(r"(?<=[.;:]) ", self.text, maxsplit=1)[0].rstrip(".;:")


@dataclasses.dataclass
class Section:
    title: str
    paragraphs: list[str] = dataclasses.field(default_factory=list)  # one with newlines is set as it is
    options: list[Option] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Page:
    name: str  # "gatehouse-serve"
    summary: str
    usage: list[str]
    sections: list[Section]

    @property
    def options(self) -> list[Option]:
        return [option for section in self.sections for option in section.options]


def said(program: str, *arguments: str) -> str:
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def option_of(head: str, text: str) -> Option:
    flags = FLAG.findall(head)
    return Option([flag for flag, _ in flags], next((value for _, value in flags if value), None), text)


def blocks_of(lines: list[str]) -> list[list[str]]:
    """Runs of lines without an empty one between them."""
    blocks, block = [], []
    for line in [*lines, ""]:
        if line:
            block.append(line)
        elif block:
            blocks.append(block)
            block = []
    return blocks


def options_of(lines: list[str]) -> list[Option]:
    options: list[Option] = []
    for line in lines:
        found = OPTION.match(line)
        if found:
            options.append(option_of(found[1], found[2] or ""))
        else:
            options[-1].text = f"{options[-1].text} {line.strip()}".strip()
    return options


def paragraph_of(lines: list[str]) -> str:
    """Indented lines are an example."""
    if all(line.startswith("  ") for line in lines):
        return "\n".join(lines) + "\n"
    return " ".join(line.strip() for line in lines)


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def page_of(name: str, summary: str, text: str) -> Page:
    usage, *rest = blocks_of(text.splitlines())
    sections = [Section("Description")]
    for block in rest:
        # A heading is a line that ends in a colon before the first option; it may go over several lines.
        first = next((n for n, line in enumerate(block) if OPTION.match(line)), None)
        if first is None:
            sections[-1].paragraphs.append(paragraph_of(block))
            continue
        heading = " ".join(block[:first]).rstrip(":")
        if heading:
            sections.append(Section(heading.split(" (")[0]))
            if "(" in heading:
                sections[-1].paragraphs.append(sentence(heading[heading.index("(") + 1:].rstrip(")")))
        sections[-1].options += options_of(block[first:])
    return Page(name, summary, [line.replace("Usage: ", "").strip() for line in usage], sections)


def commands_of(program: str) -> dict[str, str]:
    """Each with its summary."""
    listed = said(program, "--help").split("Commands:\n")[1].split("\n\n")[0]
    return dict(re.findall(r"^  (\S+) +(.+)$", listed, re.MULTILINE))


# --- manual pages ---

def roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join("\\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def head(name: str, section: int, version: str, title: str) -> list[str]:
    date = os.environ.get("SOURCE_DATE_EPOCH")
    day = subprocess.run(["date", "-u", "-d", f"@{date}" if date else "now", "+%Y-%m-%d"], stdout=subprocess.PIPE,
                         text=True, check=True).stdout.strip()
    return [f'.TH {name.upper()} {section} "{day}" "gatehouse {version}" "{title}"']


def set_paragraph(text: str) -> list[str]:
    if text.endswith("\n"):
        return [".PP", ".nf", roff(text.rstrip("\n")), ".fi"]
    return [".PP", roff(text)]


def set_option(option: Option) -> list[str]:
    return [".TP", f"\\fB{roff(option.shown)}\\fR", roff(option.text or "See above.")]


def page_text(page: Page, version: str, also: list[str]) -> str:
    lines = head(page.name, 1, version, "User Commands")
    lines += [".SH NAME", f"{roff(page.name)} \\- {roff(page.summary)}", ".SH SYNOPSIS"]
    for number, usage in enumerate(page.usage):
        lines += ([".br"] if number else []) + [roff(usage)]
    for section in page.sections:
        lines.append(f".SH {roff(section.title.upper())}")
        for paragraph in section.paragraphs:
            lines += set_paragraph(paragraph)
        for option in section.options:
            lines += set_option(option)
    lines += [".SH SEE ALSO", ",\n".join(f"\\fB{roff(name)}\\fR({section})" for name, section in also)]
    return re.sub(r"^(\.SH .*\n)\.PP\n", r"\1", "\n".join(lines), flags=re.MULTILINE) + "\n"


def overview_text(program: str, commands: dict[str, str], version: str, also: list[str]) -> str:
    first, *_, last = blocks_of(said(program, "--help").splitlines())
    lines = head("gatehouse", 1, version, "User Commands")
    lines += [".SH NAME", "gatehouse \\- WebSocket gateway for very large fleets of connections", ".SH SYNOPSIS",
              "gatehouse COMMAND [OPTIONS]", ".SH DESCRIPTION", roff(" ".join(first)), ".SH COMMANDS"]
    for name, summary in commands.items():
        lines += [".TP", f"\\fB{roff(name)}\\fR", roff(f"{summary}; see gatehouse-{name}(1)")
                  if name != "version" else roff(summary)]
    lines += [".SH EXIT STATUS"] + set_paragraph(" ".join(last).split("Exit codes: ")[1])[1:]
    lines += [".SH FILES", ".TP", "\\fB/etc/gatehouse/gatehouse.yaml\\fR",
              "The configuration of the service, as packages install it.", ".TP", "\\fBconfig/application.yaml\\fR",
              "What is read without \\-c, if it is there."]
    lines += [".SH SEE ALSO", ",\n".join(f"\\fB{roff(name)}\\fR({section})" for name, section in also)]
    return "\n".join(lines) + "\n"


def inline(text: str) -> str:
    """A line of the reference: `code` in bold, [text](link) as text."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"(?<!\w)\*(\w+)\*(?!\w)", r"'\1'", text)
    return re.sub(r"`([^`]+)`", lambda code: f"\\fB{code[1]}\\fR", roff(text))


def reference_text(program: str, version: str) -> str:
    lines = head("gatehouse.yaml", 5, version, "File Formats")
    lines += [".SH NAME", "gatehouse.yaml \\- configuration of the gatehouse WebSocket gateway", ".SH DESCRIPTION"]
    is_first = True
    for block in blocks_of(said(program, "config", "--reference").splitlines()[3:]):
        if block[0].startswith("### "):
            lines += [f".SS {roff(block[0][4:])}"]
        elif block[0].startswith("## "):
            lines += [f".SH {roff(block[0][3:].upper())}"]
        elif block[0].startswith("- "):
            lines += [".PP"] + [inner for line in block for inner in (inline(line[2:]), ".br")][:-1]
        else:
            plain = not is_first and not lines[-1].startswith((".SS", ".SH"))
            lines += ([".PP"] if plain else []) + [inline(" ".join(block))]
            is_first = False
    lines += [".SH SEE ALSO", "\\fBgatehouse\\fR(1),", "\\fBgatehouse\\-check\\fR(1),", "\\fBgatehouse\\-config\\fR(1)"]
    return "\n".join(lines) + "\n"


# --- completions ---

def words(values) -> str:
    return " ".join(values)


def bash_text(pages: dict[str, Page], commands: dict[str, str]) -> str:
    cases = "".join(f"    {name}) options='{words(flag for option in page.options for flag in option.flags)}' ;;\n"
                    for name, page in pages.items())
    files = sorted({flag for page in pages.values() for option in page.options
                    for flag in option.flags if option.value in FILES})
    return f"""# bash completion for gatehouse; written from its --help
_gatehouse()
{{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W '{words(commands)} help --help --version' -- "$word")
        return
    fi
    case $before in
    {"|".join(files)})
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    esac
    case ${{COMP_WORDS[1]}} in
{cases}    help) options='{words(commands)}' ;;
    esac
    if [[ $word == -* || ${{COMP_WORDS[1]}} == help ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}}
complete -F _gatehouse gatehouse
"""


def zsh_quoted(text: str) -> str:
    for sign in "\\[]:":
        text = text.replace(sign, "\\" + sign)
    return text.replace("'", "'\\''")


def zsh_spec(option: Option) -> list[str]:
    value = "" if option.value is None else f":{zsh_quoted(option.value)}:" + ("_files" if option.value in FILES else " ")
    star = "*" if "may be repeated" in option.text.lower() else ""
    return [f"'{star}{flag}[{zsh_quoted(option.summary)}]{value}'" for flag in option.flags]


def zsh_text(pages: dict[str, Page], commands: dict[str, str]) -> str:
    listed = "\n".join(f"    '{name}:{zsh_quoted(summary)}'" for name, summary in commands.items())
    cases = ""
    for name, page in pages.items():
        specs = " \\\n        ".join([spec for option in page.options for spec in zsh_spec(option)] + ["'*:file:_files'"])
        cases += f"    {name})\n      _arguments \\\n        {specs}\n      ;;\n"
    return f"""#compdef gatehouse
# zsh completion for gatehouse; written from its --help
_gatehouse() {{
  local -a commands
  commands=(
{listed}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{cases}    help) _describe command commands ;;
  esac
}}
_gatehouse "$@"
"""


def fish_text(pages: dict[str, Page], commands: dict[str, str]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = ["# fish completion for gatehouse; written from its --help"]
    lines += [f"complete -c gatehouse -n __fish_use_subcommand -f -a {name} -d {quoted(summary)}"
              for name, summary in commands.items()]
    for name, page in pages.items():
        for option in page.options:
            flags = " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)
            value = "" if option.value is None else " -r" + (" -F" if option.value in FILES else " -f")
            lines.append(f"complete -c gatehouse -n '__fish_seen_subcommand_from {name}' {flags}{value}"
                         f" -d {quoted(option.summary)}")
    return "\n".join(lines) + "\n"


# --- all of it ---

def place_of(name: str) -> str:
    """Below a prefix, as the shells and man look for it."""
    places = {"gatehouse.bash": "share/bash-completion/completions/gatehouse",
              "_gatehouse": "share/zsh/vendor-completions/_gatehouse",
              "gatehouse.fish": "share/fish/vendor_completions.d/gatehouse.fish"}
    return places.get(name) or f"share/man/man{name[-1]}/{name}"


def main() -> int:
    program, directory, *how = sys.argv[1:]
    is_install = "--install" in how
    if "--destdir" in how:
        directory = os.environ.get("DESTDIR", "") + directory
    directory = pathlib.Path(directory)
    commands = commands_of(program)
    version = said(program, "--version").split()[1]
    pages = {name: page_of(f"gatehouse-{name}", summary, said(program, name, "--help"))
             for name, summary in commands.items() if name != "version"}
    also = [("gatehouse.yaml", 5)] + [(f"gatehouse-{name}", 1) for name in pages]
    written = {"gatehouse.1": overview_text(program, commands, version, also),
               "gatehouse.yaml.5": reference_text(program, version),
               "gatehouse.bash": bash_text(pages, commands),
               "_gatehouse": zsh_text(pages, commands),
               "gatehouse.fish": fish_text(pages, commands)}
    for name, page in pages.items():
        others = [("gatehouse", 1)] + [one for one in also if one[0] != page.name]
        written[f"gatehouse-{name}.1"] = page_text(page, version, others)
    for name, text in written.items():
        path = directory / (place_of(name) if is_install else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
