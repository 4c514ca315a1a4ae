"""Socket calls done on a command's behalf come out as they do bare; one that blocks delays nobody."""

import os
import signal
import socket
import struct
import subprocess
import time

from netservers import STEPS, Servers, steps

# Each step's outcome is compared with a bare run of the same script.
SCRIPT = r"""
import array, ctypes, select, signal
good, refused, full, datagrams, closed_udp = map(int, sys.argv[1:6])
at = lambda port: ("127.0.0.1", port)
def finish(s, port, limit=20):
    p = select.poll()
    p.register(s, select.POLLOUT)
    events = p.poll(limit * 1000)
    return [bool(e & select.POLLOUT) for _, e in events], errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
def nonblocking(port):
    s = socket.socket()
    s.setblocking(False)
    return errno.errorcode.get(s.connect_ex(at(port)), 0), *finish(s, port), s.getblocking()
step("refused", lambda: tcp("127.0.0.1", refused))
step("nonblocking", lambda: nonblocking(good))
step("nonblocking refused", lambda: nonblocking(refused))
def twice():
    s = socket.socket()
    s.connect(at(good))
    return s.connect(at(good))
step("connected twice", twice)
def peer():
    s = socket.socket()
    s.connect(at(good))
    return s.getpeername() == at(good), s.getblocking(), s.getsockname()[0]
step("peer", peer)
def timeout():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
    return s.connect(at(full))
step("timeout", timeout)
class Rung(Exception):
    pass
def ring(*unused):
    raise Rung
def interrupted():
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    s = socket.socket()
    try:
        s.connect(at(full))
    except Rung:
        return "rung"
step("interrupted", interrupted)
def restarted():
    libc = ctypes.CDLL(None, use_errno=True)
    count = []
    signal.signal(signal.SIGALRM, lambda *a: count.append(1))
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    s = socket.socket()
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(full), socket.inet_aton("127.0.0.1"))
    r = libc.connect(s.fileno(), address, 16)
    return r, errno.errorcode.get(ctypes.get_errno()), len(count)
step("EINTR", restarted)
def shared(how):
    a, b = socket.socketpair()
    r, w = os.pipe()
    if how == "rights":
        a.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [w, r]))])
        data, control, flags, _ = b.recvmsg(9, 100)
        fds = array.array("i", control[0][2])
        os.write(fds[0], b"through")
        return data, os.read(r, 9), flags
    if how == "bad":
        return a.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [999]))])
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    said = (os.getpid(), os.getuid(), os.getgid()) if how == "own" else (os.getppid(), os.getuid(), os.getgid())
    a.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", *said))])
    told = struct.unpack("iII", b.recvmsg(9, 100)[1][0][2])
    return told == said or f"{told[0] == said[0]}, {told[1:] == said[1:]}"
step("rights", lambda: shared("rights"))
step("rights bad", lambda: shared("bad"))
def stream():
    a, b = socket.socketpair()
    size = 3 * 1000 * 1000 + 7
    if os.fork() == 0:
        a.close()
        left = size
        while left:
            left -= len(b.recv(65536))
        os._exit(0)
    b.close()
    n = a.sendmsg([bytes(size - 5), b"12345"])
    a.close()
    return n == size, os.wait()[1]
step("long stream", stream)
def full_pipe():
    a, b = socket.socketpair()
    return a.sendmsg([bytes(10 * 1000 * 1000)], [], socket.MSG_DONTWAIT) < 10 * 1000 * 1000
step("partial", full_pipe)
step("partial again", lambda: [(lambda a, b: [a.sendmsg([bytes(1 << 23)], [], socket.MSG_DONTWAIT) for _ in range(2)])(*socket.socketpair())] and None)
def broken():
    signal.signal(signal.SIGPIPE, lambda *a: print("SIGPIPE: ok"))
    a, b = socket.socketpair()
    b.close()
    return a.sendmsg([b"x"])
step("broken", broken)
def quiet():
    a, b = socket.socketpair()
    b.close()
    return a.sendmsg([b"x"], [], socket.MSG_NOSIGNAL)
step("broken quiet", quiet)
def refused_datagram():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(at(closed_udp))
    s.send(b"x")
    time.sleep(0.1)
    return s.send(b"x")
step("refused datagram", refused_datagram)
step("datagram", lambda: udp("127.0.0.1", datagrams))
step("too long", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes(70000), at(datagrams)))
def dissolve():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(at(datagrams))
    libc = ctypes.CDLL(None, use_errno=True)
    r = libc.connect(s.fileno(), bytes(16), 16)
    return r, s.getpeername()
step("dissolved", dissolve)
def many():
    libc = ctypes.CDLL(None, use_errno=True)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def address(port):
        return ctypes.create_string_buffer(struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), socket.inet_aton("127.0.0.1")), 16)
    ports = (datagrams, datagrams, 0, datagrams)
    names = [address(p) for p in ports]
    data = ctypes.create_string_buffer(b"abc")
    iov = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), 3))
    vector = b"".join(struct.pack("PIxxxxPNPNixxxxIxxxx", ctypes.addressof(n), 16, ctypes.addressof(iov), 1, 0, 0, 0, 77) for n in names)
    buffer = ctypes.create_string_buffer(vector, len(vector))
    r = libc.sendmmsg(s.fileno(), buffer, 4, 0)
    return r, [struct.unpack_from("I", buffer, 64 * i + 56)[0] for i in range(4)], errno.errorcode.get(ctypes.get_errno())
step("sendmmsg in part", many)
step("bad address", lambda: (lambda libc: (libc.connect(socket.socket().fileno(), 1, 16), errno.errorcode[ctypes.get_errno()]))(ctypes.CDLL(None, use_errno=True)))
step("short address", lambda: (lambda libc: (libc.connect(socket.socket().detach(), bytes([2, 0, 0, 9]), 4), errno.errorcode[ctypes.get_errno()]))(ctypes.CDLL(None, use_errno=True)))
step("no socket", lambda: (lambda libc: (libc.connect(os.open("/dev/null", os.O_RDONLY), bytes(16), 16), errno.errorcode[ctypes.get_errno()]))(ctypes.CDLL(None, use_errno=True)))
step("no descriptor", lambda: (lambda libc: (libc.connect(999, bytes(16), 16), errno.errorcode[ctypes.get_errno()]))(ctypes.CDLL(None, use_errno=True)))
step("stale", lambda: local("stale"))
step("no such", lambda: local("missing"))
step("a file", lambda: local("file"))
step("in use", lambda: socket.socket().bind(at(good)))
step("in use local", lambda: socket.socket(socket.AF_UNIX).bind("stale"))
"""


def full_listener():
    """A port whose backlog is full: further connections are not answered."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(3):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    time.sleep(0.05)
    return listener, waiting


def unused(style):
    with socket.socket(socket.AF_INET, style) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_N9_outcomes_are_those_of_a_bare_run(box):
    listener, waiting = full_listener()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(box.work / "stale"))
    stale.close()
    box.file("work/file", "")
    with Servers() as s:
        good, datagrams = s.tcp(), s.udp()
        ports = [good.port, unused(socket.SOCK_STREAM), listener.getsockname()[1], datagrams.port, unused(socket.SOCK_DGRAM)]
        command = ["/usr/bin/python3", "-c", STEPS + SCRIPT, *map(str, ports)]
        bare = subprocess.run(command, cwd=box.work, stdout=subprocess.PIPE, text=True, timeout=120, check=True).stdout
        network = [f'"127.0.0.1:{port}"' for port in ports]
        profile = box.file(
            "p.toml",
            f'version = 2\n[network]\nallow = [{", ".join(network)}]\nallow_bind = ["*"]\nunix = ["{box.work}"]\n',
        )
        result = box.tool("run", "-p", profile, "-r", "/", "-w", box.work, "--", *command, cwd=box.work)
        assert result.status == 0, result.describe()
        assert steps(result.stdout) == steps(bare)
    for one in (*waiting, listener):
        one.close()


def test_N9_credentials_are_the_callers(box):
    body = STEPS + SCRIPT[: SCRIPT.index('step("refused"')] + SCRIPT[SCRIPT.index("def shared") : SCRIPT.index('step("rights"')] + """
step("own", lambda: shared("own"))
step("other", lambda: shared("other"))
"""
    command = ["/usr/bin/python3", "-c", body, *"12345"]
    found = steps(box.tool("run", "-r", "/", "--net-allow", "udp://127.0.0.1:9", "--", *command).stdout)
    # Nobody may say that it is another, root not either: it has no such capability inside. An ordinary user's process
    # number cannot be said by the supervisor: the receiver is told its user and group, and the supervisor's number.
    assert found["other"] == "EPERM"
    assert found["own"] == ("True" if os.geteuid() == 0 else "False, True"), found


def test_N9_a_local_server_is_who_it_is(box):
    """Its peer asks who listens: not the supervisor, whoever that is."""
    body = """
def peer():
    name = f"\\0sandlock-test-{os.getpid()}"
    ready = os.pipe()
    if os.fork() == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65533)
            os.setuid(65534)
        server = socket.socket(socket.AF_UNIX)
        server.bind(name)
        server.listen()
        os.write(ready[1], b"x")
        server.accept()
        os._exit(0)
    os.read(ready[0], 1)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(name)
        return struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:]
step("peer", peer)
"""
    command = ["/usr/bin/python3", "-c", STEPS + body]
    wanted = {"peer": str((65534, 65533) if os.geteuid() == 0 else (os.getuid(), os.getgid()))}
    learned, path, _ = box.learn(command)
    assert steps(learned.stdout) == wanted, learned.describe()
    assert steps(box.run(path, check=True).stdout) == wanted


def test_N9_a_server_is_told_user_and_group_and_the_tools_number(box):
    """The number is that of who executes connect: there is no way to say another (SECURITY.md)."""
    name = f"sandlock-peer-{os.getpid()}"
    code = f"""
import os, socket
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65533)
    os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.connect("\\0{name}")
s.recv(1)
"""
    profile = box.new_profile()
    profile.write_text(f'version = 2\n[filesystem]\nread = ["/"]\nexec = ["/usr", "/lib"]\n[network]\nunix = ["@{name}"]\n')
    command = [box.sandlock, "run", "-p", profile, "--", "/usr/bin/python3", "-c", code]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + name)
        server.listen()
        server.settimeout(60)
        with subprocess.Popen(command, env=box.env, cwd=box.work) as tool:
            with server.accept()[0] as peer:
                pid, uid, gid = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            assert tool.wait(timeout=60) == 0
    assert (uid, gid) == ((65534, 65533) if os.geteuid() == 0 else (os.getuid(), os.getgid()))
    assert pid == tool.pid


def test_N8_a_connect_that_blocks_delays_no_other_call(box):
    listener, waiting = full_listener()
    port = listener.getsockname()[1]
    with Servers() as s:
        good = s.tcp()
        body = f"""
import threading
def block():
    try:
        socket.socket().connect(("127.0.0.1", {port}))
    except OSError:
        pass
for _ in range(20):
    threading.Thread(target=block, daemon=True).start()
if os.fork() == 0:
    block()
    os._exit(0)
time.sleep(0.3)
start = time.monotonic()
for _ in range(200):
    tcp("127.0.0.1", {good.port})
print("done: ok", flush=True)
os._exit(0)
"""
        command = ["/usr/bin/python3", "-c", STEPS + body]
        options = ("--net-allow", f"tcp://127.0.0.1:{port}", "--net-allow", f"tcp://127.0.0.1:{good.port}")
        result = box.tool("run", "-r", "/", *options, "--", *command, timeout=60)
        # The one that was left behind is still connecting: it is ended with the sandbox.
        assert steps(result.stdout) == {"done": "ok"}, result.describe()
        assert good.reached(200)
    for one in (*waiting, listener):
        one.close()


def test_N8_a_blocked_command_can_be_ended(box):
    listener, waiting = full_listener()
    port = listener.getsockname()[1]
    code = f"import socket; socket.socket().connect(('127.0.0.1', {port}))"
    result = box.tool(
        "run", "-r", "/", "--net-allow", f"tcp://127.0.0.1:{port}", "-t", "1", "--", "/usr/bin/python3", "-c", code, timeout=60
    )
    assert result.status == 124, result.describe()
    with subprocess.Popen(
        [box.sandlock, "run", "-r", "/", "--net-allow", f"tcp://127.0.0.1:{port}", "--", "/usr/bin/python3", "-c",
         "import os; print(os.getpid(), flush=True)\n" + code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as tool:  # fmt: skip
        pid = int(tool.stdout.readline())
        time.sleep(0.3)
        os.kill(pid, signal.SIGTERM)
        assert tool.wait(timeout=60) == 128 + signal.SIGTERM
    for one in (*waiting, listener):
        one.close()
