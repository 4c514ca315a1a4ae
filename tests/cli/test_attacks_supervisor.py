"""The supervisor neither crashes, nor blocks, nor grows, whatever the calls that it answers are made of."""

import os
import pathlib
import subprocess
import time

import attacks
import pytest

SELF_ENTRY = "/proc/self/status"


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "supervisor")


@pytest.fixture
def granted(tmp_path, program):
    """A profile under which attribute calls, calls on other processes and opens of /proc/self are all notified."""
    work = tmp_path / "work"
    work.mkdir()
    return attacks.profile(tmp_path / "p.toml", read=[SELF_ENTRY, work], exec=[program], write=[work], create=[work])


def resident_kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def processor_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_R12_pointers_and_descriptors_that_mean_nothing(sandlock, program, granted):
    confined = attacks.confined(sandlock, granted, [program, "garbage"])
    assert confined["succeeded"] == "0" and int(confined["made"]) > 1000


def test_R10_a_hundred_threads_killed_while_they_call(sandlock, program, granted):
    """Killed by their process's end, by the command's end, and with the tool; the tool ends each time, nothing is left."""
    for end in ("timeout", "term", "kill"):
        options = ["-t", "2"] if end == "timeout" else []
        command = [sandlock, "run", "-p", granted, *options, "--", program, "hammer", "100"]
        with attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as tool:
            assert tool.stdout.readline() == b"started\n"
            child = int(pathlib.Path(f"/proc/{tool.pid}/task/{tool.pid}/children").read_text().split()[0])
            time.sleep(0.15)
            if end == "term":
                tool.terminate()
            if end == "kill":
                tool.kill()
            status = tool.wait(timeout=60)
            assert status == {"timeout": 124, "term": 143, "kill": -9}[end] or (end == "term" and status == -15)
            attacks.wait_until(lambda pid=child: not attacks.alive(pid))


def test_R10_processes_that_die_while_their_call_is_served(sandlock, program, granted):
    attacks.compare(attacks.confined(sandlock, granted, [program, "dying", "150"]), {"killed": "150"})


def test_R10_threads_that_vanish_in_an_exec(sandlock, program, granted):
    attacks.compare(attacks.confined(sandlock, granted, [program, "exec", "60"]), {"ended": "60"})


def test_R10_three_hundred_processes_at_once(sandlock, program, granted):
    attacks.compare(attacks.confined(sandlock, granted, [program, "bomb", "300"]), {"ended": "300"})


def test_R12_objects_that_block_who_opens_them(sandlock, program, granted, tmp_path):
    """A FIFO without a writer, terminals, anonymous objects: each call comes back, and so does every other process's."""
    work = tmp_path / "work"
    os.mkfifo(work / "fifo")
    start = time.monotonic()
    attacks.compare(attacks.confined(sandlock, granted, [program, "blocking", work / "fifo", work]), {"through": "SUCCEEDED"})
    assert time.monotonic() - start < 5


def test_R14_memory_does_not_grow_with_calls(sandlock, program, granted, tmp_path):
    """Two hundred thousand notified calls: the tool's memory is looked at after a tenth of them and near the end."""
    file = tmp_path / "work" / "file"
    file.write_text("")
    calls, bound_kib, environment = 200000, 256, dict(os.environ)
    if "ASAN_OPTIONS" in environment:
        # The sanitizer keeps what was freed, slows down, and has books of its own.
        environment["ASAN_OPTIONS"] += ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        calls, bound_kib = 50000, 4096
    command = [sandlock, "run", "-p", granted, "--", program, "many", str(calls), file]
    with attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment) as tool:
        samples = []
        while tool.poll() is None:
            try:
                samples.append(resident_kib(tool.pid))
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                break
            time.sleep(0.02)
        assert attacks.results(tool.stdout.read()) == {"changed": str(calls // 2)}
        assert tool.wait() == 0
    assert len(samples) > 10, "over too soon to tell"
    early, late = samples[len(samples) // 10], max(samples[len(samples) // 2 :])
    assert late - early < bound_kib, f"{early} KiB grew to {late} KiB"


def test_R14_the_tool_does_not_spin_while_nothing_calls(sandlock, program, granted):
    command = [sandlock, "run", "-p", granted, "--", program, "hammer", "0"]
    with attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as tool:
        assert tool.stdout.readline() == b"started\n"
        before = processor_ticks(tool.pid)
        time.sleep(0.5)
        assert processor_ticks(tool.pid) - before <= 2
