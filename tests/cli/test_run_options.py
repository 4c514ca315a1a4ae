"""run: where the profile comes from, what the command line adds, what is refused before anything runs."""

import json
import os
import pathlib
import signal
import stat
import subprocess
import sys
import time

import pytest

# What a dynamic program needs to start.
SYSTEM = ["-r", "/usr", "-r", "/bin", "-r", "/lib", "-r", "/lib64"]
EVERYTHING = 'version = 2\n[filesystem]\nread = ["/"]\nexec = ["/"]\n'


@pytest.fixture
def store(box):
    path = box.home / ".config" / "sandlock" / "profiles"
    path.mkdir(parents=True)
    return path


def test_profile_by_name_path_and_file(box, store):
    (store / "mine.toml").write_text(EVERYTHING)
    for options in (["-p", "mine"], ["-pmine"], ["-p", store / "mine.toml"], ["--profile-file", store / "mine.toml"], ["--profile=mine"]):
        result = box.tool("run", *options, "--", "echo", "ran")
        assert (result.status, result.stdout) == (0, "ran\n"), result.describe()
    # A path without a slash, and --profile-file with what would be a name.
    for options in (["-p", "mine.toml"], ["--profile-file", "mine.toml"]):
        assert box.tool("run", *options, "echo", "ran", cwd=store).stdout == "ran\n"
    (store / "bare").write_text(EVERYTHING)
    assert box.tool("run", "--profile-file", "bare", "echo", "ran", cwd=store).stdout == "ran\n"


def test_two_profiles(box):
    path = box.file("p.toml", EVERYTHING)
    result = box.tool("run", "-p", path, "--profile-file", path, "true")
    assert result.status == 2 and "--profile-file" in result.messages[0], result.describe()


@pytest.mark.parametrize("name", ["nothing", "./nothing.toml", "..", "."])
def test_no_such_profile(box, store, name):
    result = box.tool("run", "-p", name, "touch", "ran")
    assert result.status == 125 and len(result.messages) == 1 and not (box.work / "ran").exists(), result.describe()


def test_a_bad_profile_runs_nothing(box):
    path = box.file("p.toml", 'version = 2\n[filesystem]\nread = ["relative"]\nwrong = 1\n')
    result = box.tool("run", "-p", path, "-w", box.work, "-r", "/", "touch", "ran")
    assert result.status == 125 and not (box.work / "ran").exists(), result.describe()
    assert len(result.messages) == 2 and "p.toml:3:" in result.messages[0] and "p.toml:4:" in result.messages[1]


UNSUPPORTED = {
    "network.port_remap": "[network]\nport_remap = true",
    "http.allow": '[http]\nallow = ["GET example.org/*"]',
    "filesystem.chroot": '[filesystem]\nchroot = "/"',
    "filesystem.mount": '[filesystem]\nmount = ["/a:/b"]',
    "determinism.random_seed": "[determinism]\nrandom_seed = 1",
}


@pytest.mark.parametrize("key", UNSUPPORTED)
def test_a_key_that_is_not_built_is_refused_by_name(box, key):
    path = box.file("p.toml", f"version = 2\n# a comment\n{UNSUPPORTED[key]}\n")
    result = box.tool("run", "-p", path, "-r", "/", "-w", box.work, "touch", "ran")
    assert result.status == 125 and not (box.work / "ran").exists(), result.describe()
    assert len(result.messages) == 1 and f"{key}: not supported yet" in result.messages[0], result.describe()
    assert "p.toml:" in result.messages[0]


def test_options_alone(box):
    box.file("data", "text\n")
    assert box.tool("run", *SYSTEM, "cat", "data").status == 1
    assert box.tool("run", *SYSTEM, "-r", "data", "cat", "data").stdout == "text\n"
    assert box.tool("run", *SYSTEM, "-r", "data", "sh", "-c", "echo x >new").status != 0
    assert box.tool("run", *SYSTEM, "-w", box.work, "sh", "-c", "echo x >new; cat new; mv new old; rm old").stdout == "x\n"


def test_read_means_version_1_whatever_the_profile_is(box):
    """-r gives reading, listing and executing, also beside a version 2 profile."""
    tool = box.file("d/tool", "#!/bin/sh\necho ran\n", 0o755)
    system = '"/usr", "/bin", "/lib", "/lib64"'
    for text in (f"version = 2\n[filesystem]\nread = [{system}]\nexec = [{system}]\n", f"[filesystem]\nread = [{system}]\n"):
        path = box.file("p.toml", text)
        assert box.tool("run", "-p", path, tool).status == 126
        result = box.tool("run", "-p", path, "-r", "d", "sh", "-c", "ls d; d/tool; cat d/tool >/dev/null; echo x >d/tool")
        assert result.stdout == "tool\nran\n" and result.status != 0, result.describe()


def test_entries_that_do_not_exist(box):
    path = box.file("p.toml", 'version = 2\n[filesystem]\nread = [\n  "/",\n  "/no/such/file",\n]\nexec = ["/"]\n')
    result = box.tool("run", "-p", path, "-r", "/no/such/option", "echo", "ran")
    assert (result.status, result.stdout) == (0, "ran\n"), result.describe()
    assert len(result.messages) == 2 and all(m.startswith("sandlock: warning: ") for m in result.messages), result.describe()
    text = "\n".join(result.messages)
    assert "p.toml:5: filesystem.read" in text and "/no/such/file" in text and "--fs-read" in text
    result = box.tool("run", "-p", path, "--strict", "echo", "ran")
    assert result.status == 125 and result.stdout == "" and "/no/such/file" in result.messages[-1], result.describe()


def test_extra_deny_syscall(box):
    code = "import os; print(os.uname().sysname)"
    assert box.tool("run", "-r", "/", "--extra-deny-syscall", "sethostname", sys.executable, "-c", code).stdout == "Linux\n"
    result = box.tool("run", "-r", "/", "--extra-deny-syscall", "uname", sys.executable, "-c", code)
    assert result.status == 1 and "PermissionError" in result.stderr, result.describe()


def test_extra_allow_syscall(box):
    code = "import ctypes, os; c = ctypes.CDLL(None, use_errno=True); i = c.shmget(0, 4096, 0o600); print(i >= 0, os.strerror(ctypes.get_errno())); c.shmctl(i, 0, 0)"
    refused = box.tool("run", "-r", "/", sys.executable, "-c", code)
    assert refused.stdout.startswith("False"), refused.describe()
    assert box.tool("run", "-r", "/", "--extra-allow-syscall", "sysv_ipc", sys.executable, "-c", code).stdout.startswith("True")
    both = box.tool("run", "-r", "/", "--extra-allow-syscall", "sysv_ipc", "--extra-deny-syscall", "sysv_ipc", "true")
    assert both.status == 2 and "sysv_ipc" in both.messages[0], both.describe()


def test_private_tmp(box):
    path = box.file("p.toml", EVERYTHING.replace("[filesystem]\n", '[filesystem]\ntmp = "private"\n'))
    script = 'echo "$TMPDIR"; test "$TMPDIR" = "$TMP" -a "$TMP" = "$TEMP" && echo x >"$TMPDIR/f" && cat "$TMPDIR/f" && stat -c %a "$TMPDIR"'
    result = box.tool("run", "-p", path, "sh", "-c", script, env={"TMPDIR": str(box.work)})
    lines = result.stdout.split()
    assert result.status == 0 and lines[1:] == ["x", "700"], result.describe()
    assert lines[0].startswith(f"{box.work}/") and not os.path.exists(lines[0])


def test_private_tmp_is_removed_when_nothing_starts(box):
    path = box.file("p.toml", 'version = 2\n[filesystem]\ntmp = "private"\n')
    (box.work / "tmp").mkdir()
    result = box.tool("run", "-p", path, "true", env={"TMPDIR": str(box.work / "tmp")})
    assert result.status == 126, result.describe()
    assert list((box.work / "tmp").iterdir()) == []


def test_no_place_for_the_private_tmp(box):
    path = box.file("p.toml", EVERYTHING.replace("[filesystem]\n", '[filesystem]\ntmp = "private"\n'))
    result = box.tool("run", "-p", path, "echo", "ran", env={"TMPDIR": "/proc"})
    assert result.status == 125 and result.stdout == "" and len(result.messages) == 1, result.describe()


def test_timeout(box):
    start = time.monotonic()
    result = box.tool("run", "-r", "/", "-t", "0.5", "sh", "-c", "sleep 60 & sleep 60")
    assert result.status == 124 and time.monotonic() - start < 5, result.describe()
    assert box.tool("run", "-r", "/", "-t", "30", "true").status == 0


def test_R1_statuses(box):
    for script, status in (("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -ABRT $$", 134)):
        result = box.tool("run", "-r", "/", "sh", "-c", script)
        assert result.status == status and not result.messages, (script, result.describe())


def test_status_fd(box):
    reader, writer = os.pipe()
    done = subprocess.run(
        [box.sandlock, "run", "-r", "/", "--status-fd", str(writer), "sh", "-c", f"ls -l /proc/self/fd/{writer} && exit 1; exit 7"],
        env=box.env, pass_fds=[writer], capture_output=True, check=False,
    )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as lines:
        events = [json.loads(line) for line in lines]
    assert done.returncode == 7 and len(events) >= 2, (done, events)
    assert "7" in json.dumps(events[-1])


def test_explain(box):
    secret = box.file("secret", "x")
    plain = box.tool("run", *SYSTEM, "cat", secret)
    assert plain.status == 1 and not plain.messages, plain.describe()
    result = box.tool("run", *SYSTEM, "--explain", "cat", secret)
    assert result.status == 1 and any(str(secret) in m and "read" in m for m in result.messages), result.describe()


@pytest.fixture
def running(box):
    """running(NAME): a sandbox of that name that runs until it is ended."""
    started = []

    def start(name, *options):
        ready = box.work / f"ready-{name}"
        child = subprocess.Popen(
            [box.sandlock, "run", "-r", "/", "-w", box.work, "--name", name, *options, "sh", "-c", f"echo >{ready}; sleep 300"],
            env=box.env, cwd=box.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(child)
        end = time.monotonic() + 20
        while not ready.exists():
            assert child.poll() is None, child.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.02)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
        child.stderr.close()


def unique(box, name):
    return f"{name}-{os.getpid()}-{box.top.name[-20:].replace('_', '-').strip('-.[]')}"[:60]


def test_ps_inspect_kill(box, running):
    name = unique(box, "one")
    child = running(name)
    table = box.tool("ps")
    assert table.status == 0 and table.stdout.split()[:6] == ["NAME", "PID", "MODE", "PROCESSES", "STARTED", "COMMAND"], table.describe()
    row = next(line.split() for line in table.stdout.splitlines() if line.split()[0] == name)
    assert row[1:3] == [str(child.pid), "run"] and int(row[3]) >= 1, table.describe()
    info = json.loads(box.tool("inspect", name).stdout)
    assert info["name"] == name and info["pid"] == child.pid and info["mode"] == "run" and info["argv"][0] == "sh", info
    listed = json.loads(box.tool("ps", "--json").stdout)
    assert name in [one["name"] for one in listed]
    result = box.tool("kill", name)
    assert (result.status, result.stdout, result.messages) == (0, "", []), result.describe()
    assert child.wait(timeout=60) == 128 + signal.SIGTERM
    assert name not in box.tool("ps").stdout
    assert box.tool("inspect", name).status == 125


def test_a_name_is_taken_once(box, running):
    name = unique(box, "twice")
    running(name)
    result = box.tool("run", "-r", "/", "--name", name, "echo", "ran")
    assert result.status == 125 and result.stdout == "" and name in result.messages[0], result.describe()


@pytest.mark.parametrize("command", ["inspect", "kill"])
def test_no_such_sandbox(box, command):
    result = box.tool(command, "no-such-sandbox")
    assert result.status == 125 and 'no sandbox "no-such-sandbox" is running' in result.messages[0], result.describe()
    for name in ("../x", "", "-x", "a b"):
        assert box.tool(command, "--", name).status == 2


def test_ps_without_sandboxes_is_a_table_or_an_array(box):
    assert box.tool("ps").stdout.startswith("NAME")
    assert isinstance(json.loads(box.tool("ps", "--json").stdout), list)


def test_a_profile_that_is_no_file_is_refused_at_once(box):
    os.mkfifo(box.work / "fifo.toml")
    for path in ("fifo.toml", "/dev/zero", "."):
        result = box.tool("run", "--profile-file", path, "true", timeout=10)
        assert result.status == 125 and len(result.messages) == 1, result.describe()
    assert stat.S_ISFIFO(pathlib.Path(box.work, "fifo.toml").stat().st_mode)
