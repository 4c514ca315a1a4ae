"""Another thread rewrites the address, the message, the path or the descriptor while a socket call is made: the denied
server never hears of it, over 10 000 tries of each kind; the granted one does, so the race was run."""

import os
import socket
import threading

import attacks
import pytest

TRIES = 10000
STREAM = ("connect", "connect6", "fastopen")
DATAGRAM = ("sendto", "sendmsg", "iovec", "sendmmsg", "unspec")
LOCAL = ("path", "path-dgram", "link", "link-dgram")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "net-race")


class Server:
    """Counts connections or datagrams until it is ended."""

    def __init__(self, family, style, address):
        self.socket = socket.socket(family, style)
        self.socket.bind(address)
        self.socket.settimeout(0.1)
        if style == socket.SOCK_STREAM:
            self.socket.listen(128)
        self.count = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            last = self.done.is_set()
            try:
                if self.socket.type == socket.SOCK_STREAM:
                    self.socket.accept()[0].close()
                else:
                    self.socket.recv(16)
                self.count += 1
            except TimeoutError:
                if last:
                    return

    def end(self):
        self.done.set()
        self.thread.join()
        self.socket.close()
        return self.count


def servers(kind, top):
    """Two servers of the kind: what names them on the command line, and [network] that grants the first."""
    if kind in LOCAL:
        style = socket.SOCK_DGRAM if "dgram" in kind else socket.SOCK_STREAM
        # Paths of the same length: what is torn between them is one of neither.
        names = [f"{top}/good", f"{top}/evil"]
        return [Server(socket.AF_UNIX, style, name) for name in names], names, f'unix = ["{names[0]}"]'
    family, host = (socket.AF_INET6, "::1") if kind == "connect6" else (socket.AF_INET, "127.0.0.1")
    style = socket.SOCK_DGRAM if kind in (*DATAGRAM, "descriptor") else socket.SOCK_STREAM
    pair = [Server(family, style, (host, 0)) for _ in range(2)]
    names = [str(one.socket.getsockname()[1]) for one in pair]
    scheme = "udp" if style == socket.SOCK_DGRAM else "tcp"
    host = f"[{host}]" if ":" in host else host
    rules = [f'"{scheme}://{host}:{names[0]}"']
    if kind == "descriptor":
        # The denied port is granted to streams: only what the number means when it is used makes it denied.
        rules.append(f'"tcp://{host}:{names[1]}"')
    return pair, names, f"allow = [{', '.join(rules)}]"


@pytest.mark.parametrize("kind", (*STREAM, *DATAGRAM, *LOCAL, "descriptor"))
def test_N7_a_race_reaches_no_denied_server(sandlock, program, tmp_path, kind):
    top = tmp_path / "n"
    top.mkdir()
    if kind in LOCAL and len(os.fspath(top)) > 80:
        top = attacks.pathlib.Path("/var/tmp") / f"sandlock-race-{os.getpid()}-{kind}"
        top.mkdir()
    pair, names, rules = servers(kind, top)
    granted = attacks.profile(
        tmp_path / "p.toml", exec=[program], create=[top], delete=[top], read=[top], extra=f"[network]\n{rules}\n"
    )
    try:
        found = attacks.confined(sandlock, granted, [program, kind, str(TRIES), *names], timeout=300)
    finally:
        good, bad = (one.end() for one in pair)
        for name in names:
            if name.startswith("/"):
                os.unlink(name)
        if top.parent != tmp_path:
            for left in top.iterdir():
                left.unlink()
            top.rmdir()
    assert bad == 0, f"{bad} of {TRIES} tries reached the denied server"
    assert int(found["denied"]) > 0, found
    if kind != "descriptor":
        assert good > 0 and int(found["good"]) > 0, (good, found)


def test_N7_learning_without_a_network_is_no_matter_of_when(sandlock, program):
    """A send that connects names nobody when it is looked at, and somebody when it is made."""
    server = Server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
    port = str(server.socket.getsockname()[1])
    try:
        command = [sandlock, "learn", "--no-network", "--keep-failed", "-o", os.devnull, "--", program, "named", str(TRIES), port, port]
        found = attacks.call(command, timeout=300)
    finally:
        count = server.end()
    assert count == 0 and int(found["good"]) == 0, (count, found)
    assert int(found["denied"]) > 0, found
