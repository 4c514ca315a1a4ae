"""What the tests of the network share: servers on the loopback interface and on local sockets, each counting who came; a
box in a network of its own; steps for confined scripts."""

import json
import socket
import threading
import time

from conftest import Box


class Server:
    """Answers b"hi" to a connection and closes it, or sends b"got" and the datagram back. count: who came."""

    def __init__(self, family=socket.AF_INET, style=socket.SOCK_STREAM, address=("127.0.0.1", 0), backlog=64):
        self.socket = socket.socket(family, style)
        self.socket.bind(address)
        self.socket.settimeout(0.05)
        if style == socket.SOCK_STREAM:
            self.socket.listen(backlog)
        self.count = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def reached(self, count):
        """Were there so many connections or datagrams? What was sent is counted a moment later: that many are waited for."""
        deadline = time.monotonic() + 30
        while self.count < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.count == count

    def serve(self):
        while not self.done.is_set():
            try:
                self.one()
            except TimeoutError:
                continue
            except OSError:
                if self.done.is_set():
                    return

    def one(self):
        if self.socket.type == socket.SOCK_STREAM:
            peer, _ = self.socket.accept()
            self.count += 1
            with peer:
                peer.sendall(b"hi")
        else:
            data, sender = self.socket.recvfrom(65536)
            self.count += 1
            if sender:
                self.socket.sendto(b"got" + data, sender)

    def close(self):
        self.done.set()
        self.thread.join()
        self.socket.close()


class LocalHttp(Server):
    """Answers every request over a local socket, as a container engine's daemon does."""

    def one(self):
        peer, _ = self.socket.accept()
        self.count += 1
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n{}\n")


class Servers:
    """A context that closes what was made in it."""

    def __enter__(self):
        self.made = []
        return self

    def __exit__(self, *exception):
        for one in self.made:
            one.close()

    def tcp(self, host="127.0.0.1", **options):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.made.append(Server(family, socket.SOCK_STREAM, (host, 0), **options))
        return self.made[-1]

    def udp(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.made.append(Server(family, socket.SOCK_DGRAM, (host, 0)))
        return self.made[-1]

    def local(self, address, style=socket.SOCK_STREAM):
        self.made.append(Server(socket.AF_UNIX, style, str(address)))
        return self.made[-1]

    def http(self, address):
        self.made.append(LocalHttp(socket.AF_UNIX, socket.SOCK_STREAM, str(address)))
        return self.made[-1]


class NetBox(Box):
    """A box whose commands run in a network of their own."""

    network = None

    def call(self, command, *, cwd=None, **options):
        return super().call(self.network.inside(command, cwd or self.work), cwd="/", **options)

    def lookup(self, cc="gcc"):
        return self.program("lookup", *(("-fPIE", "-pie") if cc == "gcc" else ("-static",)), cc=cc)

    def profile(self, *allow, more=""):
        """A profile that grants these destinations, and the files of every program used here."""
        path = self.new_profile()
        path.write_text(f"""version = 2
[filesystem]
read = ["/usr", "/lib", "/lib64", "/bin", "/etc", "{self.top.parent}", "/proc/self", "/sys"]
exec = ["/usr", "/lib", "/lib64", "/bin", "{self.top.parent}"]
[network]
allow = {json.dumps(list(allow))}
""" + more)  # fmt: skip
        return path


# Steps for a confined script: each prints "name: result" or "name: ERRNO".
STEPS = r"""
import errno, os, socket, struct, sys, tempfile, time
def step(name, function):
    try:
        result = function()
        print(f"{name}: {'ok' if result is None else result}", flush=True)
    except TimeoutError as e:
        print(f"{name}: timeout", flush=True)
    except OSError as e:
        print(f"{name}: {errno.errorcode[e.errno]}", flush=True)
def tcp(host, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(20)
        s.connect((host, port))
        return s.recv(9)
def udp(host, port, family=socket.AF_INET, how="sendto"):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        if how == "sendto":
            s.sendto(b"x", (host, port))
        elif how == "connect":
            s.connect((host, port))
            s.send(b"x")
        elif how == "write":
            s.connect((host, port))
            os.write(s.fileno(), b"x")
        else:
            s.sendmsg([b"x"], [], 0, (host, port))
        return s.recv(9)
def local(path, style=socket.SOCK_STREAM):
    with socket.socket(socket.AF_UNIX, style) as s:
        s.settimeout(20)
        s.connect(path)
        if style == socket.SOCK_DGRAM:
            return s.send(b"x")
        return s.recv(9)
"""


def steps(output):
    return dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
