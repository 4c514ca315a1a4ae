"""ps, inspect, kill: running sandboxes by name."""

import contextlib
import json
import os
import signal
import socket
import threading
import time

from supervision import OPEN, marker, processes_with, started, wait_until


def listed(box):
    result = box.tool("ps", "--json")
    assert result.status == 0, result.describe()
    return {entry["name"]: entry for entry in json.loads(result.stdout)}


@contextlib.contextmanager
def sleeper(box, name, *more):
    arguments = ["--name", name] if name else []
    with started(box, *OPEN, *arguments, *more, "--", "/bin/sh", "-c", "echo $$; sleep 60 & sleep 60; :", marker()) as tool:
        tool.command_pid = int(tool.stdout.readline())
        yield tool


def test_R2_ps_lists_what_runs_and_nothing_else(box):
    name = "ps-" + marker()[:20]
    assert name not in listed(box)
    with sleeper(box, name) as tool:
        entry = listed(box)[name]
        assert entry["pid"] == tool.pid and entry["command_pid"] == tool.command_pid and entry["mode"] == "run"
        assert name in box.tool("ps").stdout
        tool.terminate()
        tool.wait(60)
    assert name not in listed(box)


def test_R2_inspect_tells_command_and_processes(box):
    name = "inspect-" + marker()[:20]
    with sleeper(box, name) as tool:
        wait_until(lambda: len(json.loads(box.tool("inspect", name).stdout)["processes"]) == 3, what="three processes")
        answer = json.loads(box.tool("inspect", name).stdout)
        assert answer["argv"][:2] == ["/bin/sh", "-c"] and answer["command_pid"] == tool.command_pid
        assert sorted(p["name"] for p in answer["processes"]) == ["sh", "sleep", "sleep"]
        assert all(p["state"] in "RSD" for p in answer["processes"])
        assert tool.command_pid in [p["pid"] for p in answer["processes"]]
        assert answer["started"].endswith("Z")
        tool.terminate()


def test_R2_an_unnamed_run_has_a_name_of_its_own(box):
    with sleeper(box, None) as tool:
        assert f"sh-{tool.pid}" in listed(box)


def test_R2_a_name_is_taken_once(box):
    name = "twice-" + marker()[:20]
    with sleeper(box, name):
        second = box.tool(*OPEN, "--name", name, "--", "/bin/true")
        assert second.status == 125 and name in second.messages[0]
    assert box.tool(*OPEN, "--name", name, "--", "/bin/true").status == 0


def test_R2_kill_ends_all_of_it(box):
    name = "kill-" + marker()[:20]
    mark = marker()
    script = "trap '' TERM; echo ready; setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' $0 & while :; do sleep 1; done"
    with started(box, *OPEN, "--name", name, "--", "/bin/sh", "-c", script, mark) as tool:
        assert tool.stdout.readline() == "ready\n"
        result = box.tool("kill", name)
        assert result.status == 0, result.describe()
        assert result.elapsed_s < 5
        assert not processes_with(mark) or tool.wait(60) == 137
        assert tool.wait(60) == 128 + signal.SIGKILL
    assert name not in listed(box)


def test_R2_unknown_names(box):
    for command in ("inspect", "kill"):
        result = box.tool(command, "no-such-sandbox")
        assert result.status == 125 or result.status == 1, result.describe()
        assert "no-such-sandbox" in result.messages[0]


def test_R2_names_of_dead_tools_vanish(box):
    name = "dead-" + marker()[:20]
    with sleeper(box, name) as tool:
        tool.kill()
        tool.wait(60)
        wait_until(lambda: name not in listed(box), 5, "the name to vanish")


def test_R14_clients_that_do_nothing_do_not_stop_the_others(box):
    name = "idle-" + marker()[:20]
    with sleeper(box, name) as tool:
        idle = []
        for _ in range(12):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(b"\0sandlock/%d/%s" % (os.getuid(), name.encode()))
            idle.append(s)
        idle[0].send(b"insp")
        idle[1].send(b"nonsense\n")
        idle[2].send(b"x" * 10000)
        assert json.loads(box.tool("inspect", name).stdout)["pid"] == tool.pid
        for s in idle:
            s.close()
        assert box.tool("kill", name).status == 0


def test_R13_a_confined_process_does_not_reach_the_registry(box):
    name = "inner-" + marker()[:20]
    with sleeper(box, name):
        probe = f"import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\ns.connect(b'\\0sandlock/{os.getuid()}/{name}')\n"
        result = box.tool(*OPEN, "--", "/usr/bin/python3", "-c", probe)
        assert result.status == 1 and "PermissionError" in result.stderr, result.describe()
        assert name in listed(box)


@contextlib.contextmanager
def impostor(name, answer, pause=0.0):
    """Somebody of the same user who listens under a sandbox's name, as a sandboxed command may, and sends answer byte by byte."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(f"\0sandlock/{os.getuid()}/{name}")
    server.listen()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client, contextlib.suppress(OSError):
                    client.recv(100)
                    for byte in answer:
                        client.send(bytes([byte]))
                        time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(60)


def test_R13_an_impostor_holds_nobody_up(box):
    name = "slow-" + marker()[:20]
    with impostor(name, b'{"name": "' + b"x" * 30, 1):
        start = time.monotonic()
        assert name not in listed(box)
        assert time.monotonic() - start < 10


def test_R13_an_impostor_says_nothing_to_the_terminal(box):
    name = "rude-" + marker()[:20]
    with impostor(name, json.dumps({"name": name + "\x9b31m", "argv": ["\x9b2J"]}, ensure_ascii=False).encode()):
        for arguments in (["ps"], ["ps", "--json"], ["inspect", name]):
            result = box.tool(*arguments)
            assert result.status == 0 and name in result.stdout and "\x9b" not in result.stdout, result.describe()
