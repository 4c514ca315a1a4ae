"""No call reaches a process outside, the tool included; on processes of the sandbox the same calls work."""

import os
import subprocess

import attacks
import pytest
from conftest import LEARN_MODE

ROOT = os.geteuid() == 0
# Giving advice on another's memory is a right of root alone.
PRIVILEGED = [] if ROOT else ["process_madvise"]


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "processes")


@pytest.fixture
def granted(tmp_path, program):
    return attacks.profile(tmp_path / "p.toml", exec=[program])


class Victim:
    """A process outside, of the same user, in a group of its own. end() tells what happened to it."""

    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "victim"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0
        )
        read = [self.process.stdout.readline().split(": ")[1].strip() for _ in range(2)]
        self.pid, self.address = read

    def end(self):
        output, _ = self.process.communicate(timeout=10)
        assert self.process.returncode == 0
        return attacks.results(output)


@pytest.fixture
def victim(program):
    made = []

    def make():
        made.append(Victim(program))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.wait()


def how(mode, sandlock, granted, tmp_path):
    """The command line up to the command: under the profile, or learned."""
    if mode == "run":
        return [sandlock, "run", "-p", granted, "--"]
    return [sandlock, *LEARN_MODE, "-o", tmp_path / "learned.toml", "--"]


@pytest.mark.parametrize("mode", ["run", "learn"])
def test_R13_nothing_reaches_a_process_outside(sandlock, program, granted, tmp_path, victim, mode):
    untouched = victim().end()
    target = victim()
    confined = attacks.call([*how(mode, sandlock, granted, tmp_path), program, "outside", target.pid, target.address])
    assert target.end() == untouched, "something reached the process"
    expected = {name: "EPERM" for name in confined}
    ipc = ("shmget", "shmat", "shmget-new", "semget", "msgget", "mq_open", "mq_open-new")
    expected |= {name: "ENOSYS" if mode == "run" else confined[name] for name in ipc}
    # Naming the owner of a signal is no error: that the signal does not come is what counts.
    expected |= {name: "SUCCEEDED" for name in ("F_SETOWN", "FIOSETOWN", "F_SETOWN-group", "F_SETOWN_EX", "SIGURG")}
    # The kernel knows these for one's own threads and children alone, sandbox or not.
    own = {"timer_create": "EINVAL", "setpgid": "ESRCH"}
    attacks.compare(confined, expected | own)

    target = victim()
    bare = attacks.call([program, "outside", target.pid, target.address])
    touched = target.end()
    attacks.proves(bare, confined, [*own, *PRIVILEGED, *(ipc if mode == "learn" else ())])
    assert int(touched["signals"]) > 0 and touched["core"] != untouched["core"] and touched["policy"] != untouched["policy"]


def test_R13_processes_of_the_sandbox_are_reached(sandlock, program, granted):
    bare = attacks.call([program, "inside"])
    attacks.compare(bare, {name: "SUCCEEDED" if name not in PRIVILEGED else "EPERM" for name in bare})
    attacks.compare(attacks.confined(sandlock, granted, [program, "inside"]), bare)


@pytest.mark.parametrize("mode", ["run", "learn"])
def test_R13_the_tool_is_not_reached(sandlock, program, granted, tmp_path, victim, mode):
    confined = attacks.call([*how(mode, sandlock, granted, tmp_path), program, "tool"])
    attacks.compare(confined, {name: "EPERM" for name in confined})
    target = victim()
    bare = attacks.call([program, "tool", target.pid])
    attacks.proves(bare, confined, PRIVILEGED)
    target.process.kill()


def test_R13_no_thread_of_the_tool_is_reached(sandlock, program, granted):
    """Threads, and the process that outlives the tool, have numbers near it."""
    confined = attacks.confined(sandlock, granted, [program, "threads"])
    reached = [name for name in confined if name.startswith("thread-")]
    assert not reached, f"numbers after the tool's: {reached}"
    assert int(confined["tried"]) > 50


def test_R13_a_signal_to_the_process_group_stays_inside(sandlock, program, granted, victim):
    """The command shares the group with whoever started the tool, and with the tool: neither gets the signal."""
    untouched = victim().end()
    target = victim()
    group = int(target.pid)
    found = attacks.confined(sandlock, granted, [program, "group"], status=128 + 9, process_group=group)
    assert target.end() == untouched
    # To all processes there is no error where none may get it.
    assert [found[name] for name in ("kill-0", "kill-group", "kill-all")] == ["SUCCEEDED"] * 3
    assert int(found["arrived"]) >= 1
    owning = {"own-group": "EPERM", "own-group-ex": "EINVAL", "async": "SUCCEEDED", "async-ioctl": "SUCCEEDED"}
    owning |= {"own-group-FIOSETOWN": "EPERM", "own-group-SIOCSPGRP": "EPERM"}
    owning |= {"own-self": "SUCCEEDED", "nonblock": "SUCCEEDED"}
    attacks.compare({name: found[name] for name in owning}, owning)
