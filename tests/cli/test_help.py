"""--help, the manual and the bash completion say the same: each is compared with the option table through --help."""

import pathlib
import re
import subprocess

import pytest

MAN = pathlib.Path(__file__).resolve().parents[2] / "man"
COMMANDS = ["learn", "run", "check", "ps", "inspect", "kill"]
PROFILE_COMMANDS = ["show", "list", "check", "delete", "diff", "merge"]
SHARED = "Options of learn and run"
ROW = re.compile(r"^  (?:-(\w), |    )--([a-z-]+)(?:\[=(\S+)\]| (\S+))?(?:\s{2,}\S|$)")


def help_rows(box, *command):
    """{option: (letter, takes a value, later)} of what --help prints."""
    result = box.tool(*command, "--help")
    assert result.status == 0 and not result.messages, result.describe()
    rows, later = {}, False
    for line in result.stdout.splitlines():
        if line == "not supported yet:":
            later = True
        match = ROW.match(line)
        if match:
            rows[match[2]] = (match[1], bool(match[3] or match[4]), later)
    return rows


def manual_rows():
    """{subsection: {option: (letter, takes a value, later)}} of the manual's source."""
    found, section, option = {}, None, None
    for line in (MAN / "sandlock.1").read_text().splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            section, option = line[4:], None
            found[section] = {}
        match = re.match(r"\.It (?:Fl (\w) , )?Fl -([a-z-]+)(.*)", line)
        if match:
            option = match[2]
            found[section][option] = (match[1], " Ar " in match[3], False)
        elif option and line.startswith("Not supported yet"):
            letter, value, _ = found[section][option]
            found[section][option] = (letter, value, True)
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_manual_documents_every_option(box, command):
    manual = manual_rows()
    documented = manual[command] | (manual[SHARED] if command in ("learn", "run") else {})
    assert help_rows(box, command) == documented


PROFILE_OPTIONS = {"diff": {"--json", "--widened"}, "merge": {"--output"}}


@pytest.mark.parametrize("command", PROFILE_COMMANDS)
def test_options_of_profile_commands(box, command):
    rows = " ".join(map(str, help_rows(box, "profile", command).items()))
    wanted = PROFILE_OPTIONS.get(command, set())
    assert len(help_rows(box, "profile", command)) == len(wanted) and all(o.lstrip("-") in rows for o in wanted), rows


def test_every_command_is_in_help_and_manual(box):
    listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", box.tool("--help").stdout, re.M)
    assert set(COMMANDS) | {f"profile {c}" for c in PROFILE_COMMANDS} < set(listed)
    manual = (MAN / "sandlock.1").read_text()
    for command in listed:
        assert re.search(rf"^\.(Ss|Cm|It Cm) (.* )?{command}\b", manual, re.M), command


def test_every_command_has_help_on_stdout(box):
    for command in re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", box.tool("--help").stdout, re.M):
        for word in ("--help", "-h"):
            result = box.tool(*command.split(), word)
            assert result.status == 0 and result.stdout.startswith(f"usage: sandlock {command}"), result.describe()
            assert not result.messages and not result.stderr


def test_help_fits_a_terminal(box):
    for command in ("learn", "run"):
        for line in box.tool(command, "--help").stdout.splitlines():
            assert len(line) <= 100, line


def test_help_wins_over_what_follows(box):
    result = box.tool("run", "--help", "--frobnicate")
    assert result.status == 0 and result.stdout.startswith("usage:")


def complete(box, *words, index=None):
    """What the completion script offers for the last word."""
    script = box.tool("--completion", "bash")
    assert script.status == 0, script.describe()
    path = box.out / "completion"
    path.write_text(script.stdout)
    ask = (
        'PATH="$1:$PATH"; . "$2"; shift 2; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sandlock; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    tools = box.out / "bin"
    tools.mkdir(exist_ok=True)
    if not (tools / "sandlock").exists():
        (tools / "sandlock").symlink_to(box.sandlock)
    done = subprocess.run(
        ["bash", "--norc", "-c", ask, "bash", tools, path, "sandlock", *words], env=box.env, cwd=box.work, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.stderr == "", done
    return done.stdout.split()


def test_completion_offers_every_option(box):
    for command in COMMANDS:
        built = {f"--{name}" for name, (_, _, later) in help_rows(box, command).items() if not later}
        assert set(complete(box, command, "--")) == built | {"--help"}, command


def test_completion_of_commands(box):
    assert set(complete(box, "")) == {*COMMANDS, "profile", "workdir", "--help", "--version"}
    assert complete(box, "le") == ["learn"]
    assert set(complete(box, "profile", "")) == {*PROFILE_COMMANDS, "--help"}


def test_completion_of_values(box):
    box.file("some.toml")
    names = pathlib.Path(box.home, ".config/sandlock/profiles")
    names.mkdir(parents=True)
    (names / "build.toml").write_text("version = 2\n")
    assert complete(box, "run", "--disable", "fs-") == ["fs-refer", "fs-truncate", "fs-ioctl-dev"]
    assert complete(box, "run", "-p", "bu") == ["build"]
    assert complete(box, "run", "-p", "some") == ["some.toml"]
    assert complete(box, "profile", "show", "b") == ["build"]
    assert complete(box, "learn", "-o", "so") == ["some.toml"]
    assert complete(box, "run", "--profile", "=", "bu") == ["build"]


def test_completion_of_the_command(box):
    assert "sandlock" in complete(box, "run", "--strict", "sandl")
    assert "sandlock" in complete(box, "run", "-t", "5", "--", "sandl")
    box.file("input.txt")
    assert complete(box, "run", "cat", "inp") == ["input.txt"]
    # An option of the command's is no option of ours.
    assert complete(box, "run", "cat", "--stri") == []


def test_completion_of_an_unknown_shell(box):
    result = box.tool("--completion", "tcsh")
    assert result.status == 2 and len(result.messages) == 1
