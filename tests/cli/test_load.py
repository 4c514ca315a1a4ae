"""Many sandboxes, many processes, many threads that start some."""

import concurrent.futures
import pathlib
import time

import pytest
from conftest import LEARN_MODE
from supervision import OPEN, marker, processes_with, started

LEARN = (*LEARN_MODE, "-o")
MODES = pytest.mark.parametrize("mode", ["run", "learn"])


def command_of(box, mode, number):
    return OPEN if mode == "run" else (*LEARN, box.out / f"load-{number}.toml")


@MODES
def test_R10_sixteen_sandboxes_at_once(box, mode):
    script = "i=0; while [ $i -lt 20 ]; do /bin/true || exit 9; i=$((i+1)); done; exit $0"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(box.tool, *command_of(box, mode, n), "--", "/bin/sh", "-c", script, str(n)) for n in range(16)]
        for number, job in enumerate(jobs):
            assert job.result().status == number, job.result().describe()
            assert not job.result().stderr


@MODES
def test_R10_five_hundred_processes_in_one(box, mode):
    script = """
import os, sys
read, write = os.pipe()
ready, tell = os.pipe()
for _ in range(500):
    if os.fork() == 0:
        os.close(write)
        os.write(tell, b"x")
        os.read(read, 1)
        os.stat("/etc/hostname")
        os._exit(1)
os.close(tell)
got = 0
while got < 500:
    got += len(os.read(ready, 500))
os.close(write)
print(sum(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(500)))
"""
    result = box.tool(*command_of(box, mode, 0), "--", "/usr/bin/python3", "-c", script)
    assert (result.status, result.stdout) == (0, "500\n"), result.describe()


@MODES
def test_R10_a_hundred_parallel_spawns_from_several_threads(box, mode):
    script = """
import concurrent.futures, subprocess
def spawn(n):
    return subprocess.run(["/bin/sh", "-c", f"/bin/true; exit {n % 7}"], check=False).returncode == n % 7
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    print(sum(pool.map(spawn, range(100))))
"""
    result = box.tool(*command_of(box, mode, 0), "--", "/usr/bin/python3", "-c", script)
    assert (result.status, result.stdout) == (0, "100\n"), result.describe()


def test_R10_five_hundred_orphans_are_ended(box):
    mark = marker()
    script = "import os, signal\nfor _ in range(500):\n  if os.fork() == 0: signal.pause()\nos.write(1, b'ready\\n')\n"
    with started(box, *OPEN, "--", "/usr/bin/python3", "-c", script, mark) as tool:
        assert tool.wait(60) == 0
        assert not processes_with(mark)


def test_R10_attribute_calls_of_many_threads(box):
    script = """
import concurrent.futures, os, sys
def change(n):
    path = f"file-{n}"
    open(path, "w").close()
    for mode in (0o600, 0o640, 0o755) * 5:
        os.chmod(path, mode)
        assert os.stat(path).st_mode & 0o777 == mode
    os.utime(path, (n, n))
    return os.stat(path).st_mtime == n
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    print(sum(pool.map(change, range(200))))
"""
    result = box.tool(*OPEN, "-w", box.work, "--", "/usr/bin/python3", "-c", script)
    assert (result.status, result.stdout) == (0, "200\n"), result.describe()


def keep_nothing_freed(box):
    """A sanitizer would keep what was freed, up to a bound that these tests do not reach."""
    if "ASAN_OPTIONS" in box.env:
        box.env["ASAN_OPTIONS"] += ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"


def resident_kib(pid):
    return next(int(line.split()[1]) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))


def test_R14_the_tools_memory_does_not_grow_with_calls(box):
    keep_nothing_freed(box)
    script = "import os, sys\nfor line in sys.stdin:\n  for _ in range(int(line)): os.close(os.open('/etc/hostname', 0))\n  print('done', flush=True)\n"
    with started(box, *LEARN, box.out / "memory.toml", "--", "/usr/bin/python3", "-c", script, stdin=-1) as tool:

        def calls(number):
            tool.stdin.write(f"{number}\n")
            tool.stdin.flush()
            assert tool.stdout.readline() == "done\n"
            return resident_kib(tool.pid)

        before = calls(2000)
        assert calls(60000) - before < 256
        tool.stdin.close()
        assert tool.wait(60) == 0


def test_R14_the_tools_memory_does_not_grow_with_processes(box):
    keep_nothing_freed(box)
    script = "import os, sys\nfor line in sys.stdin:\n  for _ in range(int(line)):\n    if os.fork() == 0: os._exit(0)\n    os.wait()\n  print('done', flush=True)\n"
    for mode in (OPEN, (*LEARN, box.out / "processes.toml")):
        with started(box, *mode, "--", "/usr/bin/python3", "-c", script, stdin=-1) as tool:

            def calls(number, tool=tool):
                tool.stdin.write(f"{number}\n")
                tool.stdin.flush()
                assert tool.stdout.readline() == "done\n"
                return resident_kib(tool.pid)

            before = calls(1000)  # tables have their size, the allocator its arenas
            assert calls(2000) - before < 256
            tool.stdin.close()
            assert tool.wait(60) == 0


def test_R10_time_passes_without_the_tool_working(box):
    with started(box, *OPEN, "--", "/bin/sleep", "60") as tool:
        time.sleep(1)
        used = sum(int(n) for n in pathlib.Path(f"/proc/{tool.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
        assert used <= 10
        time.sleep(1)
        again = sum(int(n) for n in pathlib.Path(f"/proc/{tool.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
        assert again - used <= 5, "a tool that polled would have used a hundred ticks"


def test_R3_a_profile_of_files_only_notifies_nothing(box):
    """The tool starts its notifier with the first notification: as long as it has one thread there was none."""
    script = """
import os, sys
for _ in range(1000):
    os.close(os.open("/etc/hostname", os.O_RDONLY))
    os.stat("/etc")
    os.listdir("/etc")
open("new", "w").close()
os.rename("new", "newer")
os.unlink("newer")
os.spawnv(os.P_WAIT, "/bin/true", ["true"])
print("files", flush=True)
sys.stdin.readline()
open("new", "w").close()
os.chmod("new", 0o600)
print("attributes", flush=True)
sys.stdin.readline()
"""
    with started(box, *OPEN, "-w", box.work, "--", "/usr/bin/python3", "-c", script, stdin=-1) as tool:
        assert tool.stdout.readline() == "files\n"
        assert len(list(pathlib.Path(f"/proc/{tool.pid}/task").iterdir())) == 1
        tool.stdin.write("\n")
        tool.stdin.flush()
        assert tool.stdout.readline() == "attributes\n"
        assert len(list(pathlib.Path(f"/proc/{tool.pid}/task").iterdir())) == 2
        tool.stdin.write("\n")
        tool.stdin.flush()
        assert tool.wait(60) == 0
