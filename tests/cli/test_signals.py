"""Exit statuses, signals sent to the tool, what of the caller's process set-up the command sees."""

import os
import resource
import signal
import subprocess

import pytest
from conftest import LEARN_MODE
from supervision import OPEN, started, wait_until

LEARN = (*LEARN_MODE, "-o", "p.toml")
MODES = pytest.mark.parametrize("mode", [OPEN, LEARN], ids=["run", "learn"])


@MODES
@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_R1_exit_status_is_the_commands(box, mode, status):
    assert box.tool(*mode, "--", "/bin/sh", "-c", f"exit {status}").status == status


@MODES
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGRTMIN])
def test_R1_killed_by_a_signal_is_128_plus_its_number(box, mode, number):
    assert box.tool(*mode, "--", "/bin/sh", "-c", f"kill -{int(number)} $$").status == 128 + number


@MODES
def test_R1_not_found_is_127_not_executable_126(box, mode):
    assert box.tool(*mode, "--", "no-such-command").status == 127
    assert box.tool(*mode, "--", "./missing").status == 127
    box.file("data", "text\n", 0o644)
    assert box.tool(*mode, "--", "./data").status == 126
    assert box.tool(*mode, "--", box.work).status == 126


def test_R1_a_script_without_interpreter_line_runs_as_execvp_does(box):
    script = box.file("script", 'echo "$0 $1"; exit 3\n', 0o755)
    result = box.tool(*OPEN, "--", script, "one")
    assert (result.status, result.stdout) == (3, f"{script} one\n"), result.describe()


CATCHER = """
import os, signal, sys
def caught(number, frame):
    os.write(1, b"%d\\n" % number)
    os._exit(7)
signal.signal(int(sys.argv[1]), caught)
print("ready", flush=True)
while True:
    signal.pause()
"""


@MODES
@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "WINCH", "ALRM", "RTMIN"])
def test_R1_a_signal_to_the_tool_alone_reaches_the_command(box, mode, name):
    number = getattr(signal, f"SIG{name}")
    with started(box, *mode, "--", "/usr/bin/python3", "-c", CATCHER, str(int(number))) as tool:
        assert tool.stdout.readline() == "ready\n"
        tool.send_signal(number)
        assert tool.stdout.readline() == f"{int(number)}\n"
        assert tool.wait(60) == 7


@pytest.mark.parametrize("name", ["HUP", "INT", "TERM", "USR1"])
def test_R1_an_uncaught_signal_ends_command_and_tool(box, name):
    number = getattr(signal, f"SIG{name}")
    with started(box, *OPEN, "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as tool:
        assert tool.stdout.readline() == "ready\n"
        tool.send_signal(number)
        assert tool.wait(60) == 128 + number


def test_R1_a_signal_before_the_command_started_is_not_lost(box):
    for _ in range(20):
        with started(box, *OPEN, "--", "/bin/sleep", "60", preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [])) as tool:
            tool.terminate()
            assert tool.wait(60) in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_L22_mask_and_dispositions_are_the_callers(box):
    def setup():
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1, signal.SIGHUP, signal.SIGCHLD})

    probe = ["/bin/grep", "-E", "^(Sig(Blk|Ign|Cgt)|ShdPnd):", "/proc/self/status"]
    bare = box.call(probe, preexec_fn=setup, restore_signals=False)
    assert "SigBlk:\t0000000000010201" in bare.stdout
    for mode in (OPEN, LEARN):
        assert box.tool(*mode, "--", *probe, preexec_fn=setup, restore_signals=False).stdout == bare.stdout


def test_L22_umask_limits_groups_and_descriptors_are_the_callers(box):
    read, write = os.pipe()
    os.set_inheritable(write, True)

    def setup():
        os.umask(0o137)
        os.dup2(write, 57)
        resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, resource.getrlimit(resource.RLIMIT_STACK)[1]))
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))

    probe = ["/bin/sh", "-c", "umask; ulimit -a; ulimit -Hn; ls /proc/self/fd; ps -o sid=,pgid= -p $$ | wc -w; cat /proc/self/oom_score_adj"]
    bare = box.call(probe, preexec_fn=setup, close_fds=False)
    assert "57\n" in bare.stdout and "0137" in bare.stdout
    for mode in (OPEN, LEARN):
        got = box.tool(*mode, "--", *probe, preexec_fn=setup, close_fds=False)
        assert got.stdout == bare.stdout, got.describe()
    os.close(read)
    os.close(write)


def test_L22_make_hands_its_job_server_through(box, needs):
    box.file("Makefile", "all:\n\t+@$(SANDLOCK) $(MODE) -- $(MAKE) -s inner\ninner: a b\na b:\n\t@echo $@\n")
    needs("make")
    result = box.call(["make", "-s", "-j2", f"SANDLOCK={box.sandlock}", f"MODE={' '.join(OPEN)} -w {box.work}"])
    assert result.status == 0 and sorted(result.stdout.split()) == ["a", "b"], result.describe()
    assert "jobserver" not in result.stderr, result.describe()


def test_R1_a_closed_standard_descriptor_stays_closed(box):
    script = f"exec <&-; exec {box.sandlock} {' '.join(OPEN)} -- /bin/sh -c 'readlink /proc/self/fd/0; echo end'"
    assert box.call(["/bin/sh", "-c", script]).stdout == "end\n"


def test_L19_an_interrupted_learn_leaves_the_old_profile(box):
    old = box.file("p.toml", "version = 2\n[filesystem]\nread = [\n  \"/old\",\n]\n")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with started(box, *LEARN_MODE, "-o", old, "--", "/bin/sh", "-c", "echo ready; exec sleep 60") as tool:
            assert tool.stdout.readline() == "ready\n"
            pids = subprocess.run(["pgrep", "-P", str(tool.pid)], capture_output=True, text=True, check=True).stdout.split()
            tool.send_signal(number)
            tool.wait(60)
            wait_until(lambda pids=pids: not any(os.path.exists(f"/proc/{p}/exe") and os.path.lexists(f"/proc/{p}/cwd") for p in pids), what="the end of all")
        assert "/old" in old.read_text()
        assert sorted(os.listdir(box.work)) == ["p.toml"]
