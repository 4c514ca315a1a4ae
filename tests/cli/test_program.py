"""Which program is started, how it is looked up, what it sees, and how it is replayed from the profile."""

import json
import os
import subprocess
import sys

import pytest

from conftest import LEARN_MODE

SHOW = "import json, os, sys; print(json.dumps([sys.argv, dict(os.environ), os.getcwd()]))"
ANYTHING = ["run", "-r", "/"]


def seen(result):
    assert result.status == 0, result.describe()
    return json.loads(result.stdout)


def test_found_in_path(box):
    tools = box.box / "tools"
    tools.mkdir()
    (tools / "mine").write_text("#!/bin/sh\necho mine $0\n")
    (tools / "mine").chmod(0o755)
    result = box.tool(*ANYTHING, "mine", env={"PATH": f"/nothing:{tools}:/usr/bin:/bin"})
    assert (result.status, result.stdout) == (0, f"mine {tools}/mine\n"), result.describe()


def test_the_environment_of_the_command_gives_path(box):
    result = box.tool(*ANYTHING, "--env", "PATH=/nothing", "true")
    assert result.status == 127 and "true: command not found" in result.messages[0], result.describe()


def test_without_path_the_usual_directories_are_searched(box):
    env = {k: v for k, v in box.env.items() if k != "PATH"}
    done = subprocess.run([box.sandlock, *ANYTHING, "true"], env=env, capture_output=True, check=False)
    assert done.returncode == 0, done


def test_empty_path_element_is_the_working_directory(box):
    box.file("here", "#!/bin/sh\necho $0\n", 0o755)
    result = box.tool(*ANYTHING, "here", env={"PATH": "/nothing::/usr/bin"})
    assert (result.status, result.stdout) == (0, "./here\n"), result.describe()


@pytest.mark.parametrize("command", ["run", "learn"])
@pytest.mark.parametrize(
    "word, status, text",
    [
        ("no-such-command", 127, "command not found"),
        ("./no-such-file", 127, "No such file"),
        ("", 127, "command not found"),
        ("plain/below", 127, "Not a directory"),
        ("./plain", 126, "Permission denied"),
        ("./dir", 126, "Is a directory"),
        ("./fifo", 126, "Permission denied"),
        ("plain", 126, "Permission denied"),
    ],
)
def test_R1_not_found_and_not_executable(box, command, word, status, text):
    box.file("plain", "#!/bin/sh\n", 0o644)
    (box.work / "dir").mkdir()
    os.mkfifo(box.work / "fifo")
    start = ANYTHING if command == "run" else [*LEARN_MODE, "-o", box.out / "p.toml"]
    result = box.tool(*start, "--", word, env={"PATH": f"{box.work}:/nothing"})
    assert result.status == status, result.describe()
    assert len(result.messages) == 1 and text in result.messages[0], result.describe()
    assert not (box.out / "p.toml").exists()


def test_an_executable_later_in_path_wins_over_one_that_is_not(box):
    box.file("a/tool", "#!/bin/sh\necho a\n", 0o644)
    box.file("b/tool", "#!/bin/sh\necho b\n", 0o755)
    result = box.tool(*ANYTHING, "tool", env={"PATH": f"{box.work}/a:{box.work}/b:/usr/bin:/bin"})
    assert (result.status, result.stdout) == (0, "b\n"), result.describe()


def test_missing_interpreter(box):
    script = box.file("script", "#!/no/such/interpreter\n", 0o755)
    result = box.tool(*ANYTHING, script)
    assert result.status in (126, 127) and len(result.messages) == 1, result.describe()


def test_a_script_without_a_first_line_is_the_shells(box):
    script = box.file("script", 'echo "$0 $1 $2"\n', 0o755)
    result = box.tool(*ANYTHING, script, "one", "two words")
    assert (result.status, result.stdout, result.messages) == (0, f"{script} one two words\n", []), result.describe()


def test_replay_of_a_script_without_a_first_line(box, replays):
    script = box.file("script", 'echo "$1"\n', 0o755)
    replays([script, "one"], siblings=False, bare=["/bin/sh", script, "one"])


def test_exec_shell(box):
    result = box.tool(*ANYTHING, "-e", 'echo "$0"; exit 7')
    assert (result.status, result.stdout) == (7, "/bin/sh\n"), result.describe()
    result = box.tool(*ANYTHING, "-e", "true", "true")
    assert result.status == 2 and "--exec-shell" in result.messages[0]


def test_exec_shell_is_learned(box):
    result, path, profile = box.learn([], "-e", "cat /etc/hostname", check=False)
    assert result.status == 0, result.describe()
    assert profile.data["program"]["args"] == ["-c", "cat /etc/hostname"]
    assert box.run(path).stdout == result.stdout


def test_no_command_at_all(box):
    for words in (["run"], ["run", "-r", "/"], ["run", "-p", box.file("p.toml", "version = 2\n")], [*LEARN_MODE]):
        result = box.tool(*words)
        assert result.status == 2 and "no command" in result.messages[0], result.describe()


def test_environment_is_the_callers(box):
    given = {"A": "1", "EMPTY": "", "MULTI": "a\nb", "ODD": "\udcff"}
    _, environment, _ = seen(box.tool(*ANYTHING, sys.executable, "-c", SHOW, env=given))
    bare = json.loads(subprocess.run([sys.executable, "-c", SHOW], env=box.env | given, capture_output=True, check=True).stdout)[1]
    assert environment == bare


def test_env_adds_and_replaces(box):
    _, environment, _ = seen(
        box.tool(*ANYTHING, "--env", "A=2", "--env", "B=x=y", "--env=B=z", sys.executable, "-c", SHOW, env={"A": "1"})
    )
    assert environment["A"] == "2" and environment["B"] == "z"


def test_clean_env(box):
    _, environment, _ = seen(box.tool(*ANYTHING, "--clean-env", "--env", "X=1", sys.executable, "-c", SHOW, env={"A": "1"}))
    environment.pop("LC_CTYPE", None)  # python's own, where there is no locale
    assert environment == {k: box.env[k] for k in ("PATH", "HOME", "USER", "TERM", "LANG")} | {"X": "1"}


def test_clean_env_leaves_out_what_is_not_there(box):
    done = subprocess.run([box.sandlock, *ANYTHING, "--clean-env", "/usr/bin/env"], env={"A": "1"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done


def test_cwd(box):
    (box.work / "sub").mkdir()
    _, _, cwd = seen(box.tool(*ANYTHING, "--cwd", "sub", sys.executable, "-c", SHOW))
    assert cwd == str(box.work / "sub")


def test_a_relative_program_is_looked_up_in_cwd(box):
    box.file("sub/tool", "#!/bin/sh\npwd\n", 0o755)
    result = box.tool(*ANYTHING, "--cwd", "sub", "./tool")
    assert (result.status, result.stdout) == (0, f"{box.work}/sub\n"), result.describe()


@pytest.mark.parametrize("where", ["missing", "plain"])
def test_bad_cwd(box, where):
    box.file("plain")
    result = box.tool(*ANYTHING, "--cwd", where, "true")
    assert result.status == 125 and where in result.messages[0], result.describe()


def test_the_profiles_program(box):
    profile = box.file(
        "p.toml",
        f'version = 2\n[program]\nexec = "{sys.executable}"\nargv0 = "zero"\nargs = ["-c", "{SHOW}", "a b"]\ncwd = "/usr"\n'
        'clean_env = true\n[program.env]\nK = "v"\n',
    )
    argv, environment, cwd = seen(box.tool("run", "-p", profile, "-r", "/"))
    assert argv[1:] == ["a b"] and cwd == "/usr" and environment["K"] == "v"
    # A command replaces exec, argv0 and args; the rest holds for it too. The command line wins.
    result = box.tool("run", "-p", profile, "-r", "/", "--env", "K=w", "--", "sh", "-c", 'echo "$0 $K"; pwd')
    assert result.stdout == "sh w\n/usr\n", result.describe()


def test_program_name_without_a_slash_is_looked_up(box):
    profile = box.file("p.toml", '[program]\nexec = "echo"\nargs = ["hello"]\n')
    result = box.tool("run", "-p", profile, "-r", "/")
    assert (result.status, result.stdout) == (0, "hello\n"), result.describe()


def test_no_coredump_no_huge_pages_no_randomize_memory_open_files(box):
    ask = "ulimit -c; ulimit -n; grep THP_enabled /proc/self/status; cat /proc/self/personality"
    options = ["--no-coredump", "--no-huge-pages", "--no-randomize-memory", "--max-open-files", "77"]
    plain = box.tool(*ANYTHING, "-e", ask).stdout.split("\n")
    result = box.tool(*ANYTHING, *options, "-e", ask)
    core, files, thp, personality = result.stdout.split("\n")[:4]
    assert (core, files, thp.split()) == ("0", "77", ["THP_enabled:", "0"]), result.describe()
    assert int(personality, 16) & 0x0040000 and not int(plain[3], 16) & 0x0040000


def test_the_same_from_the_profile(box):
    profile = box.file(
        "p.toml",
        'version = 2\n[determinism]\nno_randomize_memory = true\n[program]\nno_coredump = true\nno_huge_pages = true\n[limits]\nopen_files = 77\n',
    )
    result = box.tool("run", "-p", profile, "-r", "/", "-e", "ulimit -c; ulimit -n; grep THP_enabled /proc/self/status; cat /proc/self/personality")
    core, files, thp, personality = result.stdout.split("\n")[:4]
    assert (core, files, thp.split()) == ("0", "77", ["THP_enabled:", "0"]), result.describe()
    assert int(personality, 16) & 0x0040000


def test_cpu_cores(box):
    allowed = sorted(os.sched_getaffinity(0))
    result = box.tool(*ANYTHING, "--cpu-cores", str(allowed[0]), sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))")
    assert (result.status, result.stdout) == (0, f"[{allowed[0]}]\n"), result.describe()


def test_L13_script_with_an_interpreter_line(box, replays):
    script = box.file("script", '#!/bin/sh -e\necho "$0 $# $1"\n', 0o755)
    profile = replays([script, "a b", "c"])
    assert profile.data["program"] == {"exec": str(script), "args": ["a b", "c"]}


def test_L13_argv0_is_replayed(box, program):
    learned, path, profile = box.learn(["sh", "-c", 'echo "$0"; nonsense; true'])
    assert profile.data["program"]["argv0"] == "sh"
    ran = box.run(path)
    assert (ran.stdout, ran.stderr) == (learned.stdout, learned.stderr), ran.describe()


def test_L13_busybox_applet(box, needs, replays):
    (box.work / "bin").mkdir()
    (box.work / "bin" / "cat").symlink_to(needs("busybox"))
    box.file("input", "text\n")
    profile = replays([box.work / "bin" / "cat", "input"], siblings=False)
    assert profile.data["program"]["exec"] == str(box.work / "bin" / "cat")


def test_L13_venv_symlink_is_kept(box, needs, replays):
    subprocess.run([needs("python3"), "-m", "venv", "--without-pip", "venv"], cwd=box.work, check=True)
    python = box.work / "venv" / "bin" / "python"
    profile = replays([python, "-c", "import sys; print(sys.prefix)"], ignore=["!__pycache__"], siblings=False)
    assert profile.data["program"]["exec"] == str(python)


def test_L14_relative_program_and_paths(box):
    box.file("sub/tool", "#!/bin/sh\ncat data ../above\n", 0o755)
    box.file("sub/data", "data\n")
    box.file("above", "above\n")
    learned, path, profile = box.learn(["./tool"], cwd=box.work / "sub")
    assert "cwd" not in profile.data["program"]
    assert profile.data["program"]["exec"] == str(box.work / "sub" / "tool")
    same = box.run(path, cwd=box.work / "sub")
    assert (same.status, same.stdout) == (0, "data\nabove\n"), same.describe()
    # From another directory the same program is found, and its relative paths are that directory's.
    elsewhere = box.run(path, cwd=box.work)
    assert elsewhere.status == 1 and "data" in elsewhere.stderr, elsewhere.describe()
    assert learned.stdout == same.stdout


def test_L14_cwd_is_written_only_when_it_was_asked_for(box):
    (box.work / "sub").mkdir()
    result, path, profile = box.learn(["pwd"], "--cwd", "sub")
    assert profile.data["program"]["cwd"] == str(box.work / "sub")
    assert box.run(path, cwd="/").stdout == result.stdout == f"{box.work}/sub\n"


def test_a_program_that_the_profile_keeps_from_starting(box):
    profile = box.file("p.toml", "version = 2\n")
    result = box.tool("run", "-p", profile, "/usr/bin/env")
    assert result.status == 126 and result.stdout == "", result.describe()
    text = "\n".join(result.messages)
    assert 'exec = ["/usr/bin/env"]' in text and "ld-linux" in text and len(result.messages) == 2, result.describe()


def test_only_what_is_missing_is_named(box):
    script = box.file("script", "#!/bin/sh\necho ran\n", 0o755)
    profile = box.file("p.toml", f'version = 2\n[filesystem]\nexec = ["/usr", "/bin", "/lib", "/lib64", "{script}"]\nread = ["/usr/lib"]\n')
    result = box.tool("run", "-p", profile, script)
    # The kernel starts the interpreter; that it cannot read the script is its own to say.
    assert result.status != 0 and result.stdout == "", result.describe()
    profile.write_text(f'version = 2\n[filesystem]\nexec = ["/usr", "/lib", "/lib64"]\nread = ["/usr", "/etc", "{script}"]\n')
    result = box.tool("run", "-p", profile, script)
    assert result.status == 126 and len(result.messages) == 1 and f'exec = ["{script}"]' in result.messages[0], result.describe()


def test_what_is_missing_in_version_1_and_without_a_profile(box):
    profile = box.file("p.toml", '[filesystem]\nread = ["/etc"]\n')
    result = box.tool("run", "-p", profile, "/usr/bin/env")
    assert result.status == 126 and 'read = ["/usr/bin/env"]' in result.messages[0], result.describe()
    result = box.tool("run", "-r", "/etc", "/usr/bin/env")
    assert result.status == 126 and "-r /usr/bin/env" in result.messages[0], result.describe()


def test_a_plain_run_says_nothing(box):
    secret = box.file("secret", "x")
    result = box.tool("run", "-r", "/usr", "-r", "/bin", "-r", "/lib", "-r", "/lib64", "cat", secret)
    assert result.status == 1 and "Permission denied" in result.stderr and not result.messages, result.describe()
