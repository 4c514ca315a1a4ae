"""Limits of memory, processes, open files and CPUs: who stays below lives as without them, who does not is stopped."""

import os
import re

import pytest

SYSTEM = ("-r", "/usr", "-r", "/lib", "-r", "/lib64", "-r", "/bin", "-r", "/etc")
PYTHON = "/usr/bin/python3"


@pytest.fixture
def limits(box):
    """limits(OPTIONS, *WORDS): tests/programs/limits.c under run."""
    helper = box.program("limits")

    def call(options, *words, **more):
        return box.tool("run", *SYSTEM, "-r", helper, "-w", box.work, *options, "--", helper, *map(str, words), **more)

    return call


@pytest.mark.parametrize("mib", [1, 16])
def test_R7_a_reservation_of_a_terabyte_is_free(limits, mib):
    result = limits(["-m", "64M"], "reserve", mib)
    assert (result.status, result.stdout) == (0, "lived\n"), result.describe()


@pytest.mark.parametrize("way", ["malloc", "brk", "mprotect", "file", "zero", "shared", "raise"])
def test_R7_a_process_that_takes_too_much_at_once_is_refused(limits, way):
    """The kernel says ENOMEM: the program goes on and can say so."""
    result = limits(["-m", "64M"], way, 100)
    assert result.status == 3 and "ENOMEM" in result.stdout and "touched" not in result.stdout, result.describe()
    assert not result.messages, result.describe()


@pytest.mark.parametrize("way", ["fork", "memfd", "thread-memfd", "many-shared", "no-leader"])
def test_R7_what_all_processes_have_together_is_limited(limits, way):
    result = limits(["-m", "64M"], way, 100)
    assert result.status == 137 and "lived" not in result.stdout, result.describe()
    assert len(result.messages) == 1, result.describe()
    assert re.fullmatch(r"sandlock: memory limit 64M reached by limits \(\d+\)", result.messages[0]), result.describe()


def test_R7_segments_are_limited(limits):
    result = limits(["-m", "64M", "--extra-allow-syscall", "sysv_ipc"], "sysv", 100)
    assert result.status == 137 and "memory limit 64M reached by limits" in result.messages[0], result.describe()


def test_R7_what_is_mapped_and_open_counts_once(limits):
    result = limits(["-m", "64M"], "mapped-memfd", 40)
    assert (result.status, result.stdout) == (0, "touched\nlived\n"), result.describe()


def test_R7_the_limit_of_memory_stands_in_the_profile(box, limits):
    profile = box.file("p.toml", 'version = 2\n[limits]\nmemory = "64M"\nprocesses = 3\n')
    assert limits(["-p", profile], "memfd", 100).status == 137
    assert limits(["-p", profile, "-m", "1G"], "mapped-memfd", 100).stdout == "touched\nlived\n"
    assert limits(["-p", profile], "bomb").stdout == "3 EAGAIN\n"


def test_R7_the_private_directory_is_memory_where_it_is_in_memory(box):
    profile = box.file("p.toml", 'version = 2\n[filesystem]\ntmp = "private"\n[limits]\nmemory = "64M"\n')
    hog = "i=0; while [ $i -lt 100 ]; do head -c 1048576 /dev/zero >$TMPDIR/$i; i=$((i+1)); done; sleep 60; echo lived"
    result = box.tool("run", "-p", profile, *SYSTEM, "--", "sh", "-c", hog, env={"TMPDIR": "/dev/shm"})
    assert result.status == 137 and "memory limit 64M reached by" in result.messages[0], result.describe()


@pytest.mark.parametrize("how", ["wait", "ignored", "double", "vfork", "not"])
def test_R7_sequential_children_are_not_counted_together(limits, how):
    result = limits(["-P", "50"], "children", 80, how)
    assert (result.status, result.stdout) == (0, "lived\n"), result.describe()


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_R7_a_fork_bomb_stops_at_the_limit(limits, limit):
    result = limits(["-P", str(limit)], "bomb")
    assert result.stdout == f"{limit} EAGAIN\n" and not result.messages, result.describe()


@pytest.mark.parametrize("limit", [2, 10])
def test_R7_forks_that_race_do_not_get_over_the_limit(limits, limit):
    result = limits(["-P", str(limit)], "race")
    most, refused, wrong = map(int, result.stdout.split())
    assert most <= limit and refused > 0 and wrong == 0, result.describe()


def test_R7_threads_do_not_count(limits):
    result = limits(["-P", "1"], "threads", 100)
    assert (result.status, result.stdout) == (0, "lived\n"), result.describe()


def test_R7_a_shell_bomb_ends(box):
    result = box.tool("run", *SYSTEM, "-P", "20", "-t", "20", "--", "bash", "-c", "f() { f | f & }; f; sleep 1; echo ended")
    assert "ended" in result.stdout or result.status in (124, 254), result.describe()


@pytest.mark.parametrize("command", [
    ("/usr/bin/java", "-Xmx16m", "-XX:+UseSerialGC", "-XX:ReservedCodeCacheSize=16m", "-version"),
    ("/usr/bin/node", "--max-old-space-size=16", "-e", "console.log(1)"),
])  # fmt: skip
def test_R7_virtual_machines_live_with_small_heaps(box, command):
    result = box.tool("run", *SYSTEM, "-r", "/proc", "-r", "/sys", "-w", "/tmp", "-m", "192M", "--", *command)
    assert result.status == 0 and not result.messages, result.describe()


def test_R7_cpu_cores_cannot_be_widened(box, needs):
    code = """
import os, threading
print(sorted(os.sched_getaffinity(0)))
def attempt(pid, cpus):
    try:
        os.sched_setaffinity(pid, cpus)
    except OSError as e:
        print(e.errno, end=" ")
attempt(0, [0]); attempt(os.getpid(), [0])
attempt(0, [0, 1]); attempt(0, [1]); attempt(os.getpid(), [1]); attempt(0, range(64))
child = os.fork()
if child == 0:
    attempt(0, [1]); attempt(os.getppid(), [1])
    os._exit(0)
os.wait()
thread = threading.Thread(target=lambda: attempt(threading.get_native_id(), [1])); thread.start(); thread.join()
print(sorted(os.sched_getaffinity(0)))
"""
    result = box.tool("run", *SYSTEM, "--cpu-cores", "0", "--", PYTHON, "-u", "-c", code)
    assert result.stdout == "[0]\n" + "1 " * 7 + "[0]\n", result.describe()


def test_R7_open_files_cannot_be_raised(box):
    code = """
import resource
for limits in ((50, 50), (60, 60), (50, 60)):
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    except (ValueError, OSError) as e:
        print("no")
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""
    result = box.tool("run", *SYSTEM, "--max-open-files", "50", "--", PYTHON, "-c", code)
    assert result.stdout == "no\nno\n(50, 50)\n", result.describe()


@pytest.mark.parametrize("option, value", [("-m", "0"), ("-m", "12Q"), ("-m", "x"), ("-P", "0"), ("-P", "-1"), ("-m", "9999999T")])
def test_limits_that_are_none_are_usage_errors(box, option, value):
    result = box.tool("run", *SYSTEM, option, value, "--", "true")
    assert result.status == 2 and len(result.messages) == 1, result.describe()


def test_R7_no_limit_no_notification(box):
    """Neither forks nor memory are looked at where no limit asks for it."""
    code = "import os, sys; os.spawnv(os.P_WAIT, '/bin/true', ['true']); print(len(os.listdir(f'/proc/{os.getppid()}/task')))"
    result = box.tool("run", *SYSTEM, "-r", "/proc", "--", PYTHON, "-c", code)
    assert result.stdout == "1\n", result.describe()
