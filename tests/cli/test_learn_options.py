"""learn: what its options do, where the profile goes, and when there is none."""

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from conftest import LEARN_MODE


def test_without_in_place(box):
    result = box.tool("learn", "-o", box.out / "p.toml", "sh", "-c", "echo x > ran; cat ran")
    assert result.status == 0 and result.stdout == "x\n" and not (box.work / "ran").exists(), result.describe()
    assert (box.out / "p.toml").exists()


def test_commit_makes_no_sense_in_place(box):
    result = box.tool("learn", "--in-place", "--commit", "touch", "ran")
    assert result.status == 2 and "--commit" in result.messages[0] and not (box.work / "ran").exists(), result.describe()


def test_to_stdout(box):
    """The profile on stdout, the command's stdout on stderr."""
    for options in ([], ["-o", "-"]):
        result = box.tool(*LEARN_MODE, *options, "sh", "-c", "echo to out; echo to err >&2")
        assert result.status == 0 and sorted(result.stderr.splitlines()) == ["to err", "to out"], result.describe()
        assert tomllib.loads(result.stdout)["version"] == 2
    assert not (box.work / "-").exists()


def test_to_a_file_leaves_stdout_alone(box):
    result, _, profile = box.learn(["echo", "out"])
    assert result.stdout == "out\n" and profile.data["program"]["args"] == ["out"]


@pytest.mark.parametrize("redirect", [">/dev/full", ">&-"])
def test_a_profile_that_stdout_does_not_take(box, redirect):
    done = subprocess.run(
        ["sh", "-c", f'"$0" learn --in-place true {redirect}', box.sandlock], env=box.env, cwd=box.work, capture_output=True, text=True, check=False
    )
    assert done.returncode == 125 and "cannot write to stdout" in done.stderr, done


def test_a_failed_command_leaves_no_profile(box):
    path = box.new_profile()
    for script, words in (("exit 3", "status 3"), ("kill -9 $$", "signal 9")):
        result, _, profile = box.learn(["sh", "-c", script], profile=path, check=False)
        assert result.status in (3, 137) and profile is None, result.describe()
        assert len(result.messages) == 1 and words in result.messages[0] and "--keep-failed" in result.messages[0]
    path.write_text("# old\n")
    box.tool(*LEARN_MODE, "-o", path, "false")
    assert path.read_text() == "# old\n"


def test_keep_failed(box):
    result, path, profile = box.learn(["sh", "-c", "cat /etc/hostname; exit 3"], "--keep-failed", check=False)
    assert result.status == 3 and profile and profile.grants("/etc/hostname", "read"), result.describe()
    again = box.run(path)
    assert (again.status, again.stdout) == (3, result.stdout), again.describe()


def test_failed_to_stdout_prints_nothing(box):
    result = box.tool(*LEARN_MODE, "false")
    assert result.status == 1 and result.stdout == "", result.describe()


def test_repeat(box):
    """The second run goes another way than the first: one profile holds both."""
    box.file("a", "a\n")
    box.file("b", "b\n")
    script = "if test -e second; then cat b; else echo >second; cat a; fi"
    result, _, profile = box.learn(["sh", "-c", script], "--in-place", "--repeat=2")
    assert result.stdout == "a\nb\n"
    assert profile.grants(box.work / "a", "read") and profile.grants(box.work / "b", "read"), profile.text


def test_repeat_stops_at_the_first_failure(box):
    script = "echo x >>count; test $(wc -l <count) -lt 2"
    result, _, profile = box.learn(["sh", "-c", script], "--in-place", "--repeat=5", check=False)
    assert result.status == 1 and profile is None, result.describe()
    assert (box.work / "count").read_text() == "x\nx\n"


def test_repeat_many_times_with_a_private_directory(box):
    """More often than Landlock domains can be nested, each time with an empty private directory."""
    script = 'ls -A "$TMPDIR"; echo x >"$TMPDIR/f"; echo "$TMPDIR"'
    result, _, profile = box.learn(["sh", "-c", script], "--repeat=20")
    places = result.stdout.split()
    assert len(places) == 20 and profile.tmp == "private", result.describe()
    assert not any(os.path.exists(p) for p in places)


def test_trace(box):
    trace = box.out / "trace.jsonl"
    box.file("data", "x")
    result, _, _ = box.learn(["cat", "data"], "--trace", trace)
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    assert events and any(str(box.work / "data") in json.dumps(e) for e in events), result.describe()


def test_trace_that_cannot_be_written(box):
    for path in ("/no/such/dir/trace", str(box.work)):
        result = box.tool(*LEARN_MODE, "-o", box.out / "p.toml", "--trace", path, "touch", "ran")
        assert result.status == 125 and path in result.messages[0] and not (box.work / "ran").exists(), result.describe()


def test_a_full_trace_is_an_error(box):
    result = box.tool(*LEARN_MODE, "-o", box.out / "p.toml", "--trace", "/dev/full", "cat", "/etc/hostname")
    assert result.status == 125 and "/dev/full" in result.messages[-1], result.describe()


def test_added_entries(box):
    """-r and -w stand in the profile with what they mean on the command line."""
    (box.work / "d").mkdir()
    box.file("f")
    _, _, profile = box.learn(["true"], "-r", "d", "-w", box.work / "f", "-w", "d", "-r", "~/later", "-r", "/no/such/file")
    entries = profile.entries()
    # create absorbs write on a directory.
    assert entries[str(box.work / "d")] - {"write"} == {"read", "exec", "create", "delete"}
    assert entries[str(box.work / "f")] == {"read", "exec", "write"}
    assert entries[f"{box.home}/later"] == entries["/no/such/file"] == {"read", "exec"}


def test_set_up_is_written_and_replayed(box):
    code = "import json, os, resource; print(json.dumps([os.environ.get('K'), os.environ.get('SECRET'), os.getcwd(), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]))"
    result, path, profile = box.learn(
        [sys.executable, "-c", code], "--env", "K=v=w", "--clean-env", "--cwd", "/", "--max-open-files", "99", "--no-coredump",
        env={"SECRET": "s"},
    )  # fmt: skip
    assert json.loads(result.stdout) == ["v=w", None, "/", 99]
    program = profile.data["program"]
    assert (program["env"], program["clean_env"], program["cwd"], program["no_coredump"]) == ({"K": "v=w"}, True, "/", True)
    assert profile.data["limits"]["open_files"] == 99
    assert box.run(path, env={"SECRET": "s"}).stdout == result.stdout


def test_the_environment_is_not_written(box):
    _, _, profile = box.learn(["true"], env={"TOKEN": "hunter2"})
    assert "hunter2" not in profile.text and "env" not in profile.data["program"]


def test_env_that_toml_cannot_hold(box):
    result, _, profile = box.learn(["sh", "-c", 'test -n "$K"'], b"--env=K=\xff")
    assert any("--env" in m and "\\xff" in m for m in result.messages), result.describe()
    assert "env" not in profile.data["program"]


def test_tmpdir_given_with_env_is_left_alone(box):
    (box.work / "t").mkdir()
    result, _, profile = box.learn(["sh", "-c", 'echo "$TMPDIR"'], "--env", f"TMPDIR={box.work}/t")
    assert result.stdout == f"{box.work}/t\n" and profile.tmp is None


def test_clean_env_takes_the_callers_tmpdir_away(box):
    result, _, _ = box.learn(["sh", "-c", 'echo "$TMPDIR"'], "--clean-env", env={"TMPDIR": str(box.work)})
    assert result.stdout.startswith(f"{box.work}/") and not os.path.exists(result.stdout.strip()), result.describe()


def test_profile_version_1(box):
    box.file("data", "x")
    result, path, profile = box.learn(["cat", "data"], "--profile-version", "1")
    assert "version" not in profile.data and set(profile.data["filesystem"]) <= {"read", "write"}, profile.text
    assert "argv0" not in profile.data["program"]
    assert box.run(path).stdout == result.stdout


def test_header(box):
    _, _, profile = box.learn(["true", "secret-argument"])
    header = [line for line in profile.text.splitlines() if line.startswith("#")]
    text = "\n".join(header)
    assert re.search(r"sandlock \d+\.\d+\.\d+", text) and os.uname().release in text and re.search(r"\d{4}-\d\d-\d\d", text), text
    assert "secret-argument" not in text and "partial" not in text


def test_quiet_and_verbose(box):
    command = ["cat", "/etc/hostname"]
    assert box.learn(command)[0].messages == []
    summary = box.learn(command, "-v")[0].messages
    assert any("profile: " in m for m in summary) and any("granted" in m and "used" in m for m in summary), summary
    assert any(re.fullmatch(r"sandlock: used at the most \d+M of memory in one process, and \d+\.\d s of CPU time; --learn-limits .*", m) for m in summary)
    assert box.learn(command, "-v", "-q")[0].messages == []


def test_summary_on_a_terminal(box, terminal):
    shown = terminal([box.sandlock, *LEARN_MODE, "-o", box.new_profile(), "cat", "/etc/hostname"])
    shown.expect("sandlock: profile: ")
    assert shown.wait() == 0
    quiet = terminal([box.sandlock, *LEARN_MODE, "-q", "-o", box.new_profile(), "cat", "/etc/hostname"])
    assert quiet.wait() == 0
    assert "sandlock:" not in quiet.seen


def test_timeout_status_and_message(box):
    result, _, profile = box.learn(["sleep", "60"], "-t", "0.5", check=False)
    assert result.status == 124 and profile.partial, result.describe()
    assert any("partial" in m for m in result.messages)


def test_no_network(box):
    code = "import socket, sys\ns = socket.socket()\ntry: s.connect(('127.0.0.1', 9))\nexcept OSError as e: print(type(e).__name__)"
    assert box.learn([sys.executable, "-c", code])[0].stdout == "ConnectionRefusedError\n"
    assert box.learn([sys.executable, "-c", code], "--no-network")[0].stdout == "PermissionError\n"


def test_output_that_cannot_be_written_is_found_before_the_run(box):
    for path in ("/no/such/dir/p.toml", str(box.work)):
        result = box.tool(*LEARN_MODE, "-o", path, "touch", "ran")
        assert result.status == 125 and len(result.messages) == 1 and not (box.work / "ran").exists(), result.describe()


def test_program_that_is_not_there_touches_no_file(box):
    path = box.new_profile()
    path.write_text("# old\n")
    result = box.tool(*LEARN_MODE, "-o", path, "no-such-command")
    assert result.status == 127 and path.read_text() == "# old\n", result.describe()
