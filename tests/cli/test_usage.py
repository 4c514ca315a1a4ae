"""The grammar of the command line: how options are written, what is refused, and with which status."""

import subprocess

import pytest

COMMANDS = ["learn", "run", "profile show", "profile list", "profile check", "profile delete", "profile diff", "profile merge", "check", "ps", "inspect", "kill"]
LATER_COMMANDS = ["verify", "profile explain", "profile export"]


def refused(result, status, *parts):
    """Nothing on stdout, one line on stderr that holds the parts."""
    assert result.status == status, result.describe()
    assert result.stdout == "" and result.stderr == "" and len(result.messages) == 1, result.describe()
    for part in parts:
        assert part in result.messages[0], result.describe()


def test_no_command(box):
    refused(box.tool(), 2, "needs a command")


@pytest.mark.parametrize("words", [["frobnicate"], ["profile", "frobnicate"], ["profile"], ["--frobnicate"], ["-x"]])
def test_unknown_command(box, words):
    refused(box.tool(*words), 2, words[-1])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--frobnicate", "--frobnicate=1", "-Z"])
def test_unknown_option(box, command, option):
    refused(box.tool(*command.split(), option), 2, option.split("=")[0], "unknown option")


def test_unknown_option_is_escaped(box):
    refused(box.tool("run", "--a\nb\x1b[31m"), 2, "--a\\nb\\x1b[31m")


@pytest.mark.parametrize("command", LATER_COMMANDS)
def test_later_command(box, command):
    refused(box.tool(*command.split(), "a", "b"), 2, f"{command}: not supported yet")


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(box, word):
    result = box.tool(word)
    assert result.status == 0 and result.stdout.startswith("sandlock ") and result.stdout.count("\n") == 1
    assert not result.stderr and not result.messages


@pytest.mark.parametrize(
    "options",
    [
        ["--timeout", "x"],
        ["--timeout=-1"],
        ["--timeout="],
        ["--timeout", "inf"],
        ["--timeout", "1e3"],
        ["--timeout", "5."],
        ["-tx"],
        ["--max-open-files", "0"],
        ["--max-open-files", "99999999999999999999"],
        ["--cpu-cores", "2-1"],
        ["--cpu-cores", "a"],
        ["--cpu-cores", "1,"],
        ["--cpu-cores", "100000"],
        ["--env", "NOVALUE"],
        ["--env", "=x"],
        ["--name", "../x"],
        ["--name", "-x"],
        ["--status-fd", "77"],
        ["--allow-degraded", "everything"],
        ["--disable", "fs-refer"],
        ["--disable", "everything"],
        ["--extra-deny-syscall", "frobnicate"],
        ["--extra-allow-syscall", "ptrace"],
        ["--cwd", ""],
        ["--profile", ""],
    ],
)
def test_bad_value_names_the_option(box, options):
    option = options[0].split("=")[0]
    value = options[1] if len(options) > 1 else options[0].partition("=")[2] or ("x" if option == "-tx" else "")
    refused(box.tool("run", *options, "--", "true"), 2, "-t" if option == "-tx" else option, f'"{value}" is not')


@pytest.mark.parametrize("option", ["--timeout", "-t", "--env", "-r", "--profile"])
def test_missing_value(box, option):
    refused(box.tool("run", option), 2, option, "needs a value")


def test_flag_takes_no_value(box):
    refused(box.tool("run", "--strict=yes", "true"), 2, "--strict", "takes no value")


def test_no_abbreviations(box):
    refused(box.tool("run", "--time", "5", "true"), 2, "--time: unknown option")


@pytest.mark.parametrize(
    "options",
    [["-t", "5"], ["-t5"], ["--timeout", "5"], ["--timeout=5"], ["--timeout=5.25"], ["--timeout", "0"], ["-r/usr", "--strict", "-r", "/etc"]],
)
@pytest.mark.parametrize("end", [[], ["--"]])
def test_ways_to_write_an_option(box, options, end):
    result = box.tool("run", "-r", "/", *options, *end, "echo", "-n", "--timeout", "x")
    assert (result.status, result.stdout, result.messages) == (0, "--timeout x", []), result.describe()


def test_the_command_ends_the_options(box):
    result = box.tool("run", "-r", "/", "echo", "--help", "--", "-Z")
    assert (result.status, result.stdout) == (0, "--help -- -Z\n"), result.describe()


def test_cluster_of_flags(box):
    result = box.tool("learn", "-vq", "--in-place", "-o", box.out / "p.toml", "true")
    assert result.status == 0 and result.messages == [], result.describe()
    refused(box.tool("learn", "-vZ", "true"), 2, "-Z: unknown option")


@pytest.mark.parametrize("command", ["show", "check", "delete"])
def test_operands_are_counted(box, command):
    refused(box.tool("profile", command), 2, f"profile {command}: needs")


@pytest.mark.parametrize("words", [["profile", "list", "x"], ["check", "x"], ["ps", "x"], ["inspect", "a", "b"], ["profile", "show", "a", "b"]])
def test_too_many_operands(box, words):
    refused(box.tool(*words), 2, f'unexpected argument "{words[-1]}"')


def test_options_after_operands(box):
    refused(box.tool("inspect", "a", "--frobnicate"), 2, "--frobnicate: unknown option")


LATER_OPTIONS = {
    "run": [
        "--http-allow", "--http-deny",
        "--http-port", "--http-ca", "--http-key", "--http-inject-ca", "--http-ca-out", "--chroot",
        "--fs-mount", "--image", "--user", "--gpu", "--num-cpus", "--port-remap", "--random-seed", "--time-start",
        "--deterministic-dirs", "--credential", "--http-auth", "-i", "--no-supervisor",
    ],
}  # fmt: skip


@pytest.mark.parametrize("command, option", [(c, o) for c, options in LATER_OPTIONS.items() for o in options])
def test_later_options_are_refused_by_name(box, command, option):
    refused(box.tool(command, option, "1", "true"), 2, f"{option.split('=')[0]}: not supported yet")
    assert not (box.work / "ran").exists()


@pytest.mark.parametrize("value", ["0", "x", "-1", ""])
def test_collapse_is_checked_first(box, value):
    refused(box.tool("learn", f"--collapse={value}", "true"), 2, "--collapse", f'"{value}" is not')


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["check"], ["ps"], ["profile", "--help"]])
@pytest.mark.parametrize("how", ["$0 $WORDS >/dev/full", "$0 $WORDS >&-", "{ sleep 0.2; $0 $WORDS; } | exec true"])
def test_a_result_that_cannot_be_written_is_an_error(box, words, how):
    # In the pipe the reader is gone before the writer starts; pipefail makes its status the shell's.
    command = ["bash", "-o", "pipefail", "-c", how, box.sandlock]
    done = subprocess.run(
        command, env=box.env | {"WORDS": " ".join(words)}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 125, done
    assert "cannot write to stdout" in done.stderr and done.stderr.count("\n") == 1, done


def test_a_closed_standard_input_stays_closed_for_the_command(box):
    read = "read x; echo $?"
    done = subprocess.run(
        ["sh", "-c", '"$0" run -r / -- sh -c "$1" <&-', box.sandlock, read], env=box.env, capture_output=True, text=True, check=False
    )
    bare = subprocess.run(["sh", "-c", 'sh -c "$1" <&-', "sh", read], env=box.env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    assert bare.stdout != "0\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_an_output_file_never_lands_on_a_closed_standard_descriptor(box, closed):
    path = box.out / "p.toml"
    subprocess.run(
        ["sh", "-c", f'exec "$0" learn --in-place -o "$1" -- sh -c "echo out; echo err >&2" {closed}', box.sandlock, path],
        env=box.env, cwd=box.work, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if path.exists():
        text = path.read_text()
        assert "version = 2" in text and "\nout" not in text and "\nerr" not in text
