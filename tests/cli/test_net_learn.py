"""What learn writes for what was done with sockets, and that the profile replays it and nothing beside it."""

import os
import socket

import pytest
from netservers import STEPS, Servers, steps


def network(parsed, key):
    return parsed.data.get("network", {}).get(key, [])


def learned(box, body, *options, replay=True, mode=(), **call):
    """Learn the script, replay it: ({key: entries}, output of the replay)."""
    command = ["/usr/bin/python3", "-c", STEPS + body]
    result, path, parsed = box.learn(command, *options, cwd=box.work, **call)
    found = {key: network(parsed, key) for key in ("allow", "allow_bind", "unix")}
    if not replay:
        return found, result
    again = box.run(path, (), *mode, check=True, cwd=box.work)
    assert steps(again.stdout) == steps(result.stdout), again.describe()
    return found, path


def test_N1_what_was_reached_and_bound(box):
    with Servers() as s:
        stream, datagrams, six = s.tcp(), s.udp(), s.tcp("::1")
        body = f"""
step("tcp", lambda: tcp("127.0.0.1", {stream.port}))
step("mapped", lambda: tcp("::ffff:127.0.0.1", {stream.port}, socket.AF_INET6))
step("six", lambda: tcp("::1", {six.port}, socket.AF_INET6))
for how in ("sendto", "connect", "sendmsg"):
    step("udp " + how, lambda: udp("127.0.0.1", {datagrams.port}, how=how))
def listen():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        return bool(server.getsockname()[1])
step("listen", listen)
"""
        found, path = learned(box, body)
        assert found == {
            "allow": [f"tcp://127.0.0.1:{stream.port}", f"tcp://[::1]:{six.port}", f"udp://127.0.0.1:{datagrams.port}"],
            "allow_bind": [0],
            "unix": [],
        }
        # A neighbour of each is refused.
        other = f"""
step("tcp", lambda: tcp("127.0.0.1", {datagrams.port}))
step("udp", lambda: udp("127.0.0.1", {stream.port}))
step("bind", lambda: socket.socket().bind(("127.0.0.1", 1)))
"""
        again = box.run(path, ["/usr/bin/python3", "-c", STEPS + other], check=True, cwd=box.work)
        assert set(steps(again.stdout).values()) == {"EACCES"}, again.describe()


def test_N1_a_multicast_group_that_is_joined(box):
    """Whoever only listens there sends nothing. The loopback interface is the first of every network namespace."""
    body = """
def join(group):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))
def join6(group):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + b"\\1\\0\\0\\0")
"""
    found, path = learned(box, body + 'step("join", lambda: join("239.77.0.1"))\nstep("six", lambda: join6("ff02::77:1"))\n')
    assert found["allow"] == ["udp://239.77.0.1", "udp://[ff02::77:1]"], found
    other = body + 'step("join", lambda: join("239.77.0.2"))\nstep("six", lambda: join6("ff02::77:2"))\n'
    again = box.run(path, ["/usr/bin/python3", "-c", STEPS + other], check=True, cwd=box.work)
    assert set(steps(again.stdout).values()) == {"EACCES"}, again.describe()


def test_N1_every_entry_of_sendmmsg(box):
    with Servers() as s:
        ports = [s.udp().port for _ in range(3)]
        body = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
names = [ctypes.create_string_buffer(struct.pack("=HH4s8x", socket.AF_INET, socket.htons(p), socket.inet_aton("127.0.0.1")), 16) for p in {ports}]
data = ctypes.create_string_buffer(b"abc")
iov = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(data), 3))
vector = b"".join(struct.pack("PIxxxxPNPNixxxxIxxxx", ctypes.addressof(n), 16, ctypes.addressof(iov), 1, 0, 0, 0, 0) for n in names)
buffer = ctypes.create_string_buffer(vector, len(vector))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
step("many", lambda: libc.sendmmsg(s.fileno(), buffer, 3, 0))
"""
        found, _ = learned(box, body)
        assert sorted(found["allow"]) == sorted(f"udp://127.0.0.1:{port}" for port in ports)


def test_N1_a_server_and_its_client(box):
    body = """
import threading
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(1)
def serve():
    peer, _ = server.accept()
    peer.send(b"hi")
threading.Thread(target=serve).start()
step("client", lambda: server and tcp("127.0.0.1", PORT or server.getsockname()[1]))
"""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    body = body.replace('("127.0.0.1", 0)', f'("127.0.0.1", {port})').replace("PORT", str(port))
    body = body.replace("server.bind", "server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\nserver.bind")
    found, _ = learned(box, body)
    assert found == {"allow": [], "allow_bind": [port], "unix": []}


OWN = """
import threading
def serve(family, host, port=0, style=socket.SOCK_STREAM):
    server = socket.socket(family, style)
    server.bind((host, port))
    server.listen(5)
    def answer():
        while True:
            server.accept()[0].send(b"hi")
    threading.Thread(target=answer, daemon=True).start()
    return server.getsockname()[1]
step("four", lambda: tcp("127.0.0.1", serve(socket.AF_INET, "127.0.0.1")))
step("all", lambda: tcp("127.0.0.1", serve(socket.AF_INET, "0.0.0.0")))
step("any", lambda: tcp("0.0.0.0", serve(socket.AF_INET, "")))
step("six", lambda: tcp("::1", serve(socket.AF_INET6, "::1"), socket.AF_INET6))
step("both", lambda: tcp("127.0.0.1", serve(socket.AF_INET6, "::")))
step("mapped", lambda: tcp("::ffff:127.0.0.1", serve(socket.AF_INET, "127.0.0.1"), socket.AF_INET6))
import asyncio
async def talk():
    async def answer(reader, writer):
        writer.write(await reader.readexactly(2))
        writer.close()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    writer.write(b"hi")
    data = await reader.read()
    server.close()
    return data
step("asyncio", lambda: asyncio.run(talk()))
"""


def test_N1_what_it_listens_on_itself_needs_no_entry(box):
    """The kernel picks another port at each run."""
    found, path = learned(box, OWN)
    assert found == {"allow": [], "allow_bind": [0], "unix": []}
    with Servers() as s:
        others, six = s.tcp(), s.tcp("::1")
        other = f"""
step("four", lambda: tcp("127.0.0.1", {others.port}))
step("any", lambda: tcp("0.0.0.0", {others.port}))
step("mapped", lambda: tcp("::ffff:127.0.0.1", {others.port}, socket.AF_INET6))
step("six", lambda: tcp("::1", {six.port}, socket.AF_INET6))
"""
        ran = box.run(path, ["/usr/bin/python3", "-c", STEPS + other], check=True, cwd=box.work)
        assert set(steps(ran.stdout).values()) == {"EACCES"} and others.count == six.count == 0, ran.describe()


def test_N2_probes_losers_and_failures_are_not_learned(box):
    with socket.socket() as one, Servers() as s:
        one.bind(("127.0.0.1", 0))
        refused = one.getsockname()[1]
        stream, datagrams = s.tcp(), s.udp()
        body = f"""
import threading
def probe():
    socket.getaddrinfo("localhost", {datagrams.port})  # where that has two addresses it compares them
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as p:
        p.connect(("127.0.0.1", {stream.port}))
        return bool(p.getsockname())
for attempt in (probe, lambda: tcp("127.0.0.1", {refused})):
    try:
        attempt()
    except OSError:
        pass
loser = socket.socket()
loser.setblocking(False)
loser.connect_ex(("127.0.0.1", {refused}))
loser.close()
shared = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
shared.settimeout(20)
shared.connect(("127.0.0.1", {datagrams.port}))
t = threading.Thread(target=lambda: shared.send(b"x"))
t.start()
t.join()
step("other thread", lambda: shared.recv(9))
"""
        found, _ = learned(box, body)
        assert found["allow"] == [f"udp://127.0.0.1:{datagrams.port}"]


ONE_WAY = """
def way():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", PORT))
        return os.write(s.fileno(), b"x")
step("one way", way)
"""
# The address is one of those that a look-up of "localhost" compares.
BOTH_WAYS = """
socket.getaddrinfo("localhost", 9)
step("both ways", lambda: udp("127.0.0.1", PORT, how="write"))
"""


@pytest.mark.parametrize("body", (ONE_WAY, BOTH_WAYS), ids=("one way", "both ways"))
def test_N1_what_write_sends_on_a_socket_that_is_closed_at_once(box, body):
    with Servers() as s:
        datagrams = s.udp()
        found, path = learned(box, body.replace("PORT", str(datagrams.port)))
        assert found["allow"] == [f"udp://127.0.0.1:{datagrams.port}"]
        assert datagrams.reached(2)
        other = STEPS + f'step("other", lambda: udp("127.0.0.1", {datagrams.port + 1}, how="write"))'
        assert steps(box.run(path, ["/usr/bin/python3", "-c", other], check=True, cwd=box.work).stdout) == {"other": "EACCES"}


def test_N1_a_connect_in_the_background(box):
    with Servers() as s:
        stream = s.tcp()
        body = f"""
import asyncio
async def main():
    reader, writer = await asyncio.open_connection("127.0.0.1", {stream.port})
    data = await reader.read()
    writer.close()
    return data
step("asyncio", lambda: asyncio.run(main()))
"""
        found, _ = learned(box, body)
        assert found["allow"] == [f"tcp://127.0.0.1:{stream.port}"]


def test_N5_local_sockets(box):
    name = f"sandlock-learn-{os.getpid()}"
    with Servers() as s:
        s.local(box.work / "s")
        s.local(box.work / "log", socket.SOCK_DGRAM)
        s.local("\0" + name)
        body = f"""
step("path", lambda: local("s"))
step("log", lambda: local("log", socket.SOCK_DGRAM))
step("abstract", lambda: local("\\0{name}"))
directory = tempfile.mkdtemp()
def own():
    server = socket.socket(socket.AF_UNIX)
    server.bind(directory + "/own")
    server.listen(1)
    client = socket.socket(socket.AF_UNIX)
    client.connect(directory + "/own")
step("own", own)
"""
        found, path = learned(box, body)
        assert found["unix"] == [f"{box.work}/log", f"{box.work}/s", f"@{name}"]
        s.local(box.work / "other")
        other = ["/usr/bin/python3", "-c", STEPS + 'step("other", lambda: local("other"))']
        assert steps(box.run(path, other, check=True, cwd=box.work).stdout) == {"other": "EACCES"}


def test_N6_no_network_refuses_while_learning(box):
    with Servers() as s:
        stream = s.tcp()
        s.local(box.work / "s")
        body = f"""
step("tcp", lambda: tcp("127.0.0.1", {stream.port}))
step("local", lambda: local("s"))
step("bind", lambda: socket.socket().bind(("127.0.0.1", 0)))
step("udp", lambda: udp("127.0.0.1", 9))
"""
        found, result = learned(box, body, "--no-network", replay=False)
        assert set(steps(result.stdout).values()) == {"EACCES"}, result.describe()
        assert found == {"allow": [], "allow_bind": [], "unix": []} and stream.count == 0


@pytest.mark.parametrize("version", (1, 2))
def test_N1_both_versions_hold_it(box, version):
    with Servers() as s:
        stream = s.tcp()
        body = f'step("tcp", lambda: tcp("127.0.0.1", {stream.port}))'
        found, _ = learned(box, body, f"--profile-version={version}")
        assert found["allow"] == [f"tcp://127.0.0.1:{stream.port}"]
