"""Limits of memory, processes, open files and CPUs: who stays below lives as without them, who does not is stopped."""

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


def test_R7_who_took_too_much_does_not_end_before_it_is_seen(limits):
    for _ in range(10):
        result = limits(["-m", "64M"], "memfd-and-end", 100)
        assert result.status == 137 and "memory limit 64M reached by limits" in result.messages[0], result.describe()
    assert limits(["-m", "64M"], "memfd-and-end", 40).status == 0


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


def test_R7_stacks_of_threads_count_as_far_as_they_are_used(limits):
    """The kernel's own limit counts eight MiB for each, of which a program that just starts threads uses next to nothing."""
    result = limits(["-m", "64M"], "usual-threads", 40)
    assert (result.status, result.stdout) == (0, "lived\n"), result.describe()
    result = limits(["-m", "64M"], "lie", 100)
    assert result.status == 137 and "memory limit 64M reached by limits" in result.messages[0], result.describe()
    assert limits(["-m", "64M"], "lie", 1000).stdout.startswith("mmap"), "more than all stacks may have"


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


def test_R7_a_go_program_lives(box):
    """It reserves much, and starts a thread for each thing that waits."""
    result = box.tool("run", *SYSTEM, "-r", "/proc", "-r", "/sys", "-m", "64M", "-P", "1", "--", "/usr/bin/fzf", "-f", "a", stdin="a\nb\n")
    assert (result.status, result.stdout, result.messages) == (0, "a\n", []), result.describe()


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


# Says what each process used of CPU time.
BURN = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
for _ in range(int(sys.argv[2]) - 1):
    if os.fork() == 0:
        break
while time.monotonic() < end:
    pass
os.write(1, f"{time.process_time():.3f}\\n".encode())
try:
    while True:
        os.wait()
except ChildProcessError:
    pass
"""


def burnt(result, seconds, share):
    """The sum is at most the share, and what a look that comes late and the start of an interpreter add."""
    assert result.status == 0 and not result.messages, result.describe()
    used = sum(map(float, result.stdout.split()))
    assert used < seconds * share * 1.4 + 0.5, result.describe()


@pytest.mark.parametrize("percent, processes", [(10, 1), (30, 1), (30, 4)])
def test_R7_cpu_is_a_share_of_all_processes_together(box, percent, processes):
    script = box.file("burn.py", BURN)
    result = box.tool("run", *SYSTEM, "-r", script, "-c", str(percent), "--", PYTHON, script, "4", str(processes))
    burnt(result, 4, percent / 100)


def test_R7_a_share_of_cpu_stops_nobody_as_far_as_parents_see(box):
    code = """
import os, signal, time
news = []
signal.signal(signal.SIGCHLD, lambda *_: news.append(1))
child = os.fork()
if child == 0:
    end = time.process_time() + 0.3
    while time.process_time() < end: pass
    os._exit(7)
while True:
    pid, status = os.waitpid(child, os.WUNTRACED | os.WCONTINUED)
    print(os.waitstatus_to_exitcode(status), len(news), flush=True)
    break
"""
    result = box.tool("run", *SYSTEM, "-c", "30", "--", PYTHON, "-c", code)
    assert result.stdout == "7 1\n", result.describe()


def test_R7_a_share_of_cpu_keeps_job_control(box, terminal):
    burner = "echo begun-$((40+2)); i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done; echo done-$((40+2))"
    t = terminal([box.sandlock, "run", *SYSTEM, "-r", "/dev", "-w", "/dev/tty", "-c", "40", "--", "bash", "--norc", "-i"], env={"PS1": "ready> "})
    t.expect(r"ready> ")
    t.send(f"bash -c '{burner}'\n")
    t.expect(r"done-42", 60)
    t.expect(r"ready> ")
    t.send(f"bash -c '{burner} again'\n")
    t.expect(r"begun-42")  # Ctrl-Z would empty the terminal's queue
    t.send("\x1a")
    t.expect(r"Stopped")
    t.send("fg\n")
    t.expect(r"done-42", 60)
    t.send("exit 5\n")
    assert t.wait() == 5
    assert "Stopped" not in t.everything.split("again")[0], t.everything


def test_R7_a_share_of_cpu_and_the_end(box):
    """A timeout and a signal reach those that are held."""
    script = box.file("burn.py", BURN)
    result = box.tool("run", *SYSTEM, "-r", script, "-c", "5", "-t", "1", "--", PYTHON, script, "60", "3")
    assert result.status == 124 and result.elapsed_s < 20, result.describe()


def test_R7_a_share_of_cpu_where_nobody_can_be_traced(box):
    """The outer sandbox refuses ptrace to the inner one, which stops and continues by signals."""
    script = box.file("burn.py", BURN)
    inner = [box.sandlock, "run", *SYSTEM, "-r", script, "-c", "20", "--", PYTHON, script, "4", "2"]
    result = box.tool(
        "run", *SYSTEM, "-r", script, "-r", box.sandlock, "-r", "/proc", "-w", "/dev/null", "-c", "100", "--", *inner,
        env={"ASAN_OPTIONS": box.env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"},  # which needs ptrace
    )  # fmt: skip
    burnt(result, 4, 0.2)


def test_R7_limits_in_a_container(box):
    """There kcmp is refused: a child that shares its parent's memory for a moment does not count twice."""
    helper, container = box.program("limits"), box.program("container")
    code = "b = bytearray(40 << 20)\nimport subprocess\nfor _ in range(40): subprocess.run(['/bin/true'], check=True)\nprint('lived')"
    run = [container, box.sandlock, "run", *SYSTEM, "-r", helper, "-m", "64M", "-P", "8", "--"]
    result = box.call([*run, PYTHON, "-c", code])
    assert (result.status, result.stdout, result.messages) == (0, "lived\n", []), result.describe()
    for way in ("memfd", "many-shared"):
        assert box.call([*run, helper, way, "100"]).status == 137
    assert box.call([*run, helper, "bomb"]).stdout == "8 EAGAIN\n"
    result = box.call([container, box.sandlock, "run", *SYSTEM, "--cpu-cores", "0", "--", "taskset", "-c", "1", "true"])
    assert result.status == 1 and "Operation not permitted" in result.stderr, result.describe()


def test_R7_inside_a_sandbox_what_cannot_be_counted_is_refused(box):
    inner = [box.sandlock, "run", *SYSTEM, "-P", "5", "--", "true"]
    result = box.tool("run", *SYSTEM, "-r", box.sandlock, "-r", "/proc", "-w", "/dev/null", "--", *inner)
    assert result.status == 125 and "cannot limit the number of processes here" in result.messages[0], result.describe()
    assert result.messages[0].endswith("limit the outer one"), result.describe()


def test_R7_the_outer_limit_counts_what_an_inner_sandbox_makes(box):
    """The inner tool and its killer are processes of the outer sandbox, and so is what runs in it."""
    helper = box.program("limits")
    inner = [box.sandlock, "run", *SYSTEM, "-r", helper, "--", helper, "bomb"]
    result = box.tool("run", *SYSTEM, "-r", helper, "-r", box.sandlock, "-r", "/proc", "-w", "/dev/null", "-P", "10", "--", *inner)
    assert result.stdout == "8 EAGAIN\n", result.describe()


def test_R7_check_says_how_limits_are_held(box):
    text = box.tool("check").stdout
    assert re.search(r"^limits:\n  cgroup v2 +(used: groups in /|not used: \w)", text, re.M), text
    assert re.search(r"^  memory +(each process by the kernel .*measured|by the kernel: .*cgroup\))$", text, re.M), text


def test_R7_groups_that_the_profile_could_change_are_not_used(box):
    """Where the kernel would hold the limits, a grant below its tree of groups would let the command take them off."""
    mounts = [line.split(" ")[4] for line in open("/proc/self/mountinfo", encoding="utf-8") if " - cgroup2 " in line]
    grants = [word for mount in mounts for word in ("-w", mount)]
    hog = "cat /proc/self/cgroup; head -c 100M /dev/zero | tail -c 100M >/dev/null"
    result = box.tool("run", *SYSTEM, "-r", "/proc", *grants, "-m", "64M", "--", "sh", "-c", hog)
    assert "/sandlock-" not in result.stdout and "0::" in result.stdout if mounts else True, result.describe()
    assert result.status != 0, result.describe()


def test_R7_nobody_gets_round_a_share_by_tracing(box):
    code = "import ctypes; libc = ctypes.CDLL(None, use_errno=True); print(libc.ptrace(0, 0, 0, 0), ctypes.get_errno())"
    assert box.tool("run", *SYSTEM, "-c", "50", "--", PYTHON, "-c", code).stdout == "-1 1\n"
    assert box.tool("run", *SYSTEM, "--", PYTHON, "-c", code).stdout == "0 0\n"


def learned_limits(box, command, *options, **more):
    _, path, profile = box.learn(command, "--learn-limits", *options, **more)
    return path, profile.data["limits"]


def test_R7_learned_limits_have_room(box):
    code = "b = bytearray(100 << 20); import subprocess; p = [subprocess.Popen(['sleep', '0.2']) for _ in range(4)]; [x.wait() for x in p]"
    path, limits = learned_limits(box, [PYTHON, "-c", code])
    assert limits == {"memory": "192M", "processes": 10, "open_files": limits["open_files"]} and limits["open_files"] >= 256
    assert re.search(r"^# observed: at most \d+ s of CPU time$", path.read_text(), re.M)
    assert box.run(path, check=True).messages == []
    assert box.run(path, [PYTHON, "-c", code.replace("100", "250")]).status == 1


def test_learned_limits_are_at_least_what_small_programs_need(box):
    path, limits = learned_limits(box, ["true"])
    assert limits["memory"] == "32M" and limits["processes"] == 4, limits
    assert box.run(path).status == 0


def test_no_limit_is_learned_unasked(box):
    _, _, profile = box.learn(["true"])
    assert "limits" not in profile.data and "CPU" not in profile.text


def test_learning_into_a_profile_raises_its_limits(box):
    _, path, _ = box.learn(["sh", "-c", "true"], "--learn-limits")
    text = re.sub("open_files.*\n", "", path.read_text())
    path.write_text(text.replace('memory = "32M"', 'memory = "1M"'))
    box.tool("learn", "--in-place", "--merge", path, "--", "sh", "-c", "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait")
    limits = box.learn(["true"], profile=box.out / "x.toml")[2]
    merged = path.read_text()
    assert 'memory = "32M"' in merged and "processes = 8" in merged and "open_files" not in merged, merged
    assert limits


@pytest.mark.parametrize("command", [
    ["sh", "-c", "for i in 1 2 3 4 5 6; do (for j in 1 2 3; do /bin/true; done) & done; wait"],
    ["/usr/bin/node", "-e", "console.log(Array.from({length: 1e6}, (_, i) => i).length)"],
    ["/usr/bin/java", "-version"],
    ["bash", "-c", "seq 200000 | sort -rn | head -n 3"],
])  # fmt: skip
def test_R7_what_was_learned_runs_again(box, command):
    path, _ = learned_limits(box, command)
    result = box.run(path)
    assert result.status == 0 and not result.messages, f"{result.describe()}\n{path.read_text()}"


def test_R7_a_compile_job_passes_under_its_limits(box):
    for n in range(8):
        box.file(f"f{n}.c", f"#include <stdio.h>\n#include <stdlib.h>\nint f{n}(void) {{ return printf(\"%d\", {n}); }}\n")
    box.file("main.c", "".join(f"int f{n}(void);\n" for n in range(8)) + "int main(void) { return f0() != 1; }\n")
    sources = [f"f{n}" for n in range(8)] + ["main"]
    box.file("Makefile", "prog: " + " ".join(f"{s}.o" for s in sources) + "\n\tgcc -o $@ $^\n")
    path, limits = learned_limits(box, ["make", "-j2"])
    for made in [*box.work.glob("*.o"), box.work / "prog"]:
        made.unlink(missing_ok=True)
    result = box.run(path)
    assert result.status == 0 and not result.messages and (box.work / "prog").exists(), f"{result.describe()}\n{limits}"
