"""When the tool is killed, everything that it started is gone, whatever it does against that."""

import os
import pathlib
import signal
import subprocess
import time

import attacks
import pytest

WAYS = (
    "ignore", "block", "daemon", "stopped", "stopped-daemon", "traced", "vfork", "read", "dead-leader", "sibling", "subreaper", "relay",
)  # fmt: skip


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "survive")


@pytest.fixture
def granted(tmp_path, program):
    return attacks.profile(tmp_path / "p.toml", exec=[program])


def start(sandlock, granted, program, how, *options):
    command = [sandlock, "run", "-p", granted, *options, "--", program, how]
    return attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)


def numbers(stream):
    """{name: pid} up to the line "ready"."""
    found = {}
    for line in stream:
        if line == "ready\n":
            return {name: int(pid) for name, pid in found.items() if pid.isdigit()}
        name, value = line.rstrip("\n").split(": ")
        found[name] = value
    raise AssertionError(f"the program ended early: {found}")


def of_program(program):
    """The processes that run the program, found without being told: a relay has another number every time."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if command[0] == program.encode() and attacks.alive(int(entry.name)):
                found.append(int(entry.name))
    return found


def all_gone(program, timeout_s=60):
    """Wait until none is left; tell what is."""
    try:
        attacks.wait_until(lambda: not of_program(program), timeout_s=timeout_s)
    except AssertionError:
        left = {pid: pathlib.Path(f"/proc/{pid}/status").read_text() for pid in of_program(program)}
        raise AssertionError(f"still there after {timeout_s} s: {left}") from None


@pytest.fixture
def own_program(program, tmp_path):
    """A copy of the program with a name of this test's own, to find its processes by."""
    copy = tmp_path / "survivor"
    copy.write_bytes(pathlib.Path(program).read_bytes())
    copy.chmod(0o755)
    return str(copy)


@pytest.fixture
def own_granted(tmp_path, own_program):
    return attacks.profile(tmp_path / "own.toml", exec=[own_program])


@pytest.mark.parametrize("by", ["SIGKILL", "SIGTERM", "timeout"])
def test_R2_nothing_survives_the_tool(sandlock, own_program, own_granted, by):
    options = ["-t", "1"] if by == "timeout" else []
    with start(sandlock, own_granted, own_program, "all", *options) as tool:
        left = numbers(tool.stdout)
        assert set(WAYS) <= left.keys()
        assert all(attacks.alive(pid) or name in ("relay", "dead-leader") for name, pid in left.items())
        assert len(of_program(own_program)) >= len(WAYS)
        if by != "timeout":
            tool.send_signal(getattr(signal, by))
        status = tool.wait(timeout=60)
        assert status in {"SIGKILL": (-9,), "SIGTERM": (143, -15), "timeout": (124,)}[by]
        all_gone(own_program)
        assert not [name for name, pid in left.items() if attacks.alive(pid)]


def test_R2_nothing_survives_the_command(sandlock, own_program, own_granted):
    """The command itself is killed: what it left running ends as well, and the status is the command's."""
    with start(sandlock, own_granted, own_program, "all") as tool:
        left = numbers(tool.stdout)
        os.kill(int(left["command"]), signal.SIGKILL)
        assert tool.wait(timeout=60) == 128 + 9
        all_gone(own_program)


def test_R2_a_stopped_tool_is_killed_with_its_tree(sandlock, own_program, own_granted):
    with start(sandlock, own_granted, own_program, "all") as tool:
        numbers(tool.stdout)
        tool.send_signal(signal.SIGSTOP)
        tool.send_signal(signal.SIGKILL)
        assert tool.wait(timeout=60) == -9
        all_gone(own_program)


def test_R1_a_command_that_makes_the_tool_its_tracer(sandlock, own_program, own_granted):
    """The tool is nobody's tracer: it lets go, the signal takes its way, and neither of them is stopped by it."""
    found = attacks.confined(sandlock, own_granted, [own_program, "traceme"], timeout=10)
    assert found == {"traceme": "SUCCEEDED", "handled": "1"}
    assert not of_program(own_program)


SHELL = {"read": ["/usr", "/lib", "/lib64", "/etc/ld.so.cache"], "exec": ["/usr", "/lib", "/lib64"]}


def in_a_job(how):
    """Arguments of Popen: as a script starts a command, in a new session, or as a shell with job control does."""
    return {"script": {}, "session": {"start_new_session": True}, "job": {"process_group": 0}}[how]


@pytest.mark.parametrize("how", ["script", "session", "job"])
def test_R2_a_stopped_command_does_not_stop_the_clock(sandlock, tmp_path, how):
    granted = attacks.profile(tmp_path / "p.toml", **SHELL)
    command = [sandlock, "run", "-p", granted, "-t", "1", "--", "/bin/sh", "-c", "kill -STOP $$"]
    with attacks.running(command, stdin=subprocess.DEVNULL, **in_a_job(how)) as tool:
        assert tool.wait(timeout=60) == 124


@pytest.mark.parametrize("how", ["script", "session"])
def test_R1_a_command_that_stops_and_is_continued_from_inside(sandlock, tmp_path, how):
    """Where nobody but the sandbox itself would continue it, the tool does not stop with the command."""
    granted = attacks.profile(tmp_path / "p.toml", **SHELL)
    script = "(sleep 0.3; kill -CONT $$) & kill -STOP $$; echo went on; chmod 600 /etc/passwd 2>&- || echo refused"
    command = [sandlock, "run", "-p", granted, "--", "/bin/sh", "-c", script]
    with attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **in_a_job(how)) as tool:
        assert tool.communicate(timeout=5)[0] == "went on\nrefused\n"
        assert tool.returncode == 0


def test_L19_learn_killed_at_any_moment_leaves_no_directory(sandlock, tmp_path):
    """From the first directory that it makes on, before there is a sandbox."""
    tmp, work = tmp_path / "tmp", tmp_path / "work"
    tmp.mkdir()
    work.mkdir()
    environment = os.environ | {"TMPDIR": str(tmp)}
    made = set()
    for i in range(60):
        command = [sandlock, "learn", "-o", tmp_path / "learned.toml", "--", "/usr/bin/true"]
        with attacks.running(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=work, env=environment) as tool:
            end = time.monotonic() + 0.001 + i * 0.0002
            while time.monotonic() < end and tool.poll() is None:
                made.update(path.name[:12] for path in tmp.iterdir())
            tool.kill()
    assert any(name.startswith("sandlock-") for name in made), "killed too early each time"
    attacks.wait_until(lambda: not list(tmp.iterdir()))
    assert not list(work.iterdir())
