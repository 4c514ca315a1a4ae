"""Nothing listed: no connection, datagram or bound port, by any family, call or flag; pipes and pairs work."""

import os
import socket
import threading

import attacks
import pytest

ROOT = os.geteuid() == 0
WORKS = ("works-pair", "works-pair-seqpacket", "works-pipe", "works-unix-listen")
SENDING = (
    "tcp4", "tcp4-nonblocking", "tcp6", "tcp6-mapped", "mptcp", "sendto-fastopen", "sendto-fastopen-more", "sendto-fastopen-rubbish",
    "sendmsg-fastopen", "sendmmsg-fastopen", "fastopen-connect", "udp4", "unix-stream", "unix-abstract", "unix-dgram",
    "unix-dgram-connect", "unix-raw", "pair-dgram", "bind4", "bind6", "bind-unspec", "listen4", "listen6", "udp6", "udp-rubbish",
)  # fmt: skip


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "network")


class Servers:
    """One server for each kind of socket; arrived counts connections and datagrams by kind."""

    def __init__(self, top):
        self.arrived = dict.fromkeys(("tcp4", "tcp6", "udp4", "stream", "dgram", "abstract"), 0)
        # A name below / is the shortest there is: a path of a socket has at most 107 bytes.
        self.names = {"stream": str(top / "s"), "dgram": str(top / "d"), "abstract": f"sandlock-attack-{os.getpid()}"}
        addresses = {
            "tcp4": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)), "tcp6": (socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)),
            "udp4": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)), "stream": (socket.AF_UNIX, socket.SOCK_STREAM, self.names["stream"]),
            "dgram": (socket.AF_UNIX, socket.SOCK_DGRAM, self.names["dgram"]),
            "abstract": (socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.names["abstract"]),
        }  # fmt: skip
        self.sockets = {}
        for kind, (family, style, address) in addresses.items():
            self.sockets[kind] = socket.socket(family, style)
            self.sockets[kind].bind(address)
            self.sockets[kind].settimeout(0.2)
            if style == socket.SOCK_STREAM:
                self.sockets[kind].listen(64)
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.serve, args=(kind,)) for kind in self.sockets]
        for thread in self.threads:
            thread.start()

    def serve(self, kind):
        one = self.sockets[kind]
        while True:
            last = self.done.is_set()
            try:
                if one.type == socket.SOCK_STREAM:
                    one.accept()[0].close()
                else:
                    one.recv(16)
                self.arrived[kind] += 1
            except TimeoutError:
                if last:
                    return

    def arguments(self):
        ports = [str(self.sockets[kind].getsockname()[1]) for kind in ("tcp4", "tcp6", "udp4")]
        return [*ports, self.names["stream"], self.names["dgram"], self.names["abstract"]]

    def end(self):
        """What arrived until now."""
        self.done.set()
        for thread in self.threads:
            thread.join()
        for one in self.sockets.values():
            one.close()
        for kind in ("stream", "dgram"):
            os.unlink(self.names[kind])
        return self.arrived


@pytest.fixture
def servers(tmp_path_factory):
    made = []

    def make():
        top = tmp_path_factory.mktemp("n")
        made.append(Servers(top))
        return made[-1], top

    yield make
    for one in made:
        one.done.set()


def test_N6_R13_nothing_listed_reaches_nothing(sandlock, program, tmp_path, servers):
    server, top = servers()
    # The sockets' own directory is granted whole: that makes none of them connectable.
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], read=[top], write=[top], create=[top], delete=[top])
    confined = attacks.confined(sandlock, granted, [program, *server.arguments()], cwd=top)
    assert set(server.end().values()) == {0}

    expected = {name: "EACCES" for name in confined} | {name: "SUCCEEDED" for name in WORKS}
    # As from a kernel without them; looking at routes and addresses reaches nobody.
    expected |= {"mptcp": "EPROTONOSUPPORT", "sctp": "EPROTONOSUPPORT", "netlink": "SUCCEEDED"}
    expected |= {name: "EPERM" for name in ("raw4", "raw6", "packet", "sock-packet")}
    families = ("vsock", "alg", "key", "xdp", "can", "bluetooth")
    expected |= {name: "EAFNOSUPPORT" for name in families} | {"pair-inet": "EOPNOTSUPP"}
    administration = ("interface-flags", "interface-flags-unix", "interface-address", "route", "firewall")
    expected |= {name: "EPERM" for name in administration}
    attacks.compare(confined, expected)

    server, top = servers()
    bare = attacks.call([program, *server.arguments()], cwd=top)
    arrived = server.end()
    assert all(arrived.values()), f"some attempts cannot be made here at all: {arrived}"
    attacks.compare({name: bare[name] for name in (*SENDING, *WORKS)}, {name: "SUCCEEDED" for name in (*SENDING, *WORKS)})
    # What this kernel was built without or does not let anybody do, and what takes privilege.
    unbuilt = [*families, "pair-inet", "icmp", "netlink", "sctp"]
    privileged = ["raw4", "raw6", "packet", "sock-packet", *administration]
    attacks.proves(bare, confined, unbuilt if ROOT else unbuilt + privileged)


def test_N6_nothing_listed_without_a_kernel_that_judges_tcp(sandlock, program, tmp_path, servers):
    """With the protection of TCP left out, no internet socket can be made: bind is not for the asking."""
    server, top = servers()
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], create=[top])
    command = [sandlock, "run", "-p", granted, "--disable", "net-tcp", "--", program, *server.arguments()]
    confined = attacks.call(command, cwd=top)
    assert set(server.end().values()) == {0}
    tcp = ("tcp4", "tcp6", "bind4", "bind6", "bind-unspec", "listen4", "listen6", "sendto-fastopen")
    attacks.compare({name: confined[name] for name in tcp}, {name: "EACCES" for name in tcp})
