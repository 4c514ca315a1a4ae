"""What one process does to its sockets while the supervisor acts on them holds up no other process's calls."""

import os
import pathlib
import re
import resource
import subprocess

import attacks
import pytest

NETWORK = '[network]\nallow = ["tcp://127.0.0.1"]\nallow_bind = [0]\n'
ATTEMPTS = ("flags", "linger", "many")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "net-stall")


def test_N8_changing_a_socket_meanwhile_delays_nobody(sandlock, program, tmp_path):
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra=NETWORK)
    # What most sessions have: fewer than there are calls that wait. The program takes what it may.
    usual = (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    confined = attacks.confined(
        sandlock, granted, [program], timeout=120, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    )
    attacks.compare(confined, dict.fromkeys(ATTEMPTS, "SUCCEEDED"))


def test_R14_sends_that_wait_take_little_memory(sandlock, program, tmp_path):
    """1000 threads send a mebibyte each: their memory has limits, and is not to be had from the supervisor instead."""
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra='[network]\nunix = ["@own"]\n')
    command = [sandlock, "run", "-p", granted, "--", program, "hold"]
    with attacks.running(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tool:
        assert tool.stdout.readline() == "held\n"
        status = pathlib.Path(f"/proc/{tool.pid}/status").read_text()
        # A sanitizer has books of its own about each thread; what was sent would be 250 MiB without a bound.
        most_kib = (96 if "ASAN_OPTIONS" not in os.environ else 320) * 1024
        assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) < most_kib, status
        tool.stdin.write("\n")
        tool.stdin.close()
        tool.wait(60)
