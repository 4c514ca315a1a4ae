"""Names in rules: learned by name, held while the name moves, and look-ups of granted names only (N3, N4).

Each test has a network of its own with a nameserver that counts what it is asked (nameserver.py).
"""

import subprocess

import pytest

from nameserver import NAMESERVER, Network, missing
from netservers import NetBox

PORT = 8080
PYTHON = "/usr/bin/python3"
FETCH = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=60).read().decode())"
ASYNCIO = """
import asyncio, sys
async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    print((await reader.read()).decode().splitlines()[-1])
    writer.close()
asyncio.run(main())
"""
NODE_GET = "require('http').get(process.argv[1], r => r.pipe(process.stdout))"
NODE_RESOLVE = "require('dns').resolve4(process.argv[1], (e, a) => { console.log(e ? e.code : a.join()); process.exit(e ? 1 : 0) })"
# The ways in which resolvers ask: tests/programs/lookup.c.
CONNECTED = ("connected", "checked", "blocking", "tcp")
UNCONNECTED = ("sendto", "sendmsg", "sendmmsg")


@pytest.fixture
def net(tmp_path, sandlock, program):
    if reason := missing():
        pytest.skip(f"no network of the test's own can be made: {reason}")
    box = NetBox(tmp_path, sandlock, program)
    files = box.top / "etc"
    files.mkdir()
    box.network = Network(files)
    box.network.name("www.test", A=["10.77.0.2"])
    box.network.name("evil.test", A=["10.77.0.9"])
    box.network.name("secret.www.test", A=["10.77.0.9"])
    for address in ("10.77.0.2", "10.77.0.3", "10.77.0.9"):
        box.network.serve(address, PORT)
    yield box
    box.network.close()


def clients(net):
    """Programs that fetch from a name, each with its own way to the address."""
    url = f"http://www.test:{PORT}/"
    return {
        "glibc": [net.lookup(), "libc", "www.test", str(PORT)],
        "musl": [net.lookup("musl-gcc"), "libc", "www.test", str(PORT)],
        "curl": ["curl", "-sS", url],
        "wget": ["wget", "-qO-", url],
        "python": [PYTHON, "-c", FETCH, url],
        "asyncio": [PYTHON, "-c", ASYNCIO, "www.test", str(PORT)],
        "node": ["node", "-e", NODE_GET, url],
    }


def allowed(profile):
    return profile.data.get("network", {}).get("allow", [])


@pytest.mark.parametrize("client", ["glibc", "musl", "curl", "wget", "python", "asyncio", "node"])
def test_N3_a_name_that_moved(net, client):
    command = clients(net)[client]
    result, _, profile = net.learn(command)
    assert result.stdout == "hello from 10.77.0.2\n", result.describe()
    assert allowed(profile) == [f"tcp://www.test:{PORT}"], profile.text
    assert "unix" not in profile.data["network"], profile.text
    net.network.name("www.test", A=["10.77.0.3"])
    net.network.queries()
    net.network.connections()
    ran = net.run(profile, check=True)
    assert ran.stdout == "hello from 10.77.0.3\n", ran.describe()
    assert net.network.asked() == {"www.test"}
    assert net.network.connections().get(f"10.77.0.3:{PORT}") == 1
    # The address that it had, and another of the same machine's, are nobody's now.
    prober = net.lookup()
    for address in ("10.77.0.2", "10.77.0.9"):
        ran = net.run(profile, [prober, "libc", address, str(PORT)], "-r", "/usr", "-r", "/etc", "-r", net.top.parent)
        assert "Permission denied" in ran.stdout, ran.describe()
    ran = net.run(profile, [prober, "libc", "10.77.0.3", "53"], "-r", "/usr", "-r", "/etc", "-r", net.top.parent)
    assert "Permission denied" in ran.stdout, ran.describe()
    assert not {k: v for k, v in net.network.connections().items() if not k.startswith(NAMESERVER)}


def test_N3_the_chain_of_a_name(net):
    net.network.name("www.test", CNAME="edge.cdn.test")
    net.network.name("edge.cdn.test", CNAME="pop1.cdn.test")
    net.network.name("pop1.cdn.test", A=["10.77.0.2"])
    command = clients(net)["curl"]
    _, _, profile = net.learn(command)
    assert allowed(profile) == [f"tcp://www.test:{PORT}"], profile.text
    net.network.name("www.test", CNAME="edge.other.test")
    net.network.name("edge.other.test", A=["10.77.0.3"])
    ran = net.run(profile, check=True)
    assert ran.stdout == "hello from 10.77.0.3\n", ran.describe()


@pytest.mark.parametrize("client", ["glibc", "musl"])
def test_N3_an_answer_too_long_for_a_datagram(net, client):
    net.network.name("www.test", truncate=True, A=["10.77.0.2"])
    command = clients(net)[client]
    # musl 1.2.3 does not ask again over TCP.
    if client == "musl":
        profile = net.profile(f"tcp://www.test:{PORT}")
        ran = net.run(profile, [net.lookup(), "tcp", "www.test"])
        assert ran.stdout == "10.77.0.2\n", ran.describe()
        return
    _, _, profile = net.learn(command)
    assert allowed(profile) == [f"tcp://www.test:{PORT}"], profile.text
    net.network.name("www.test", truncate=True, A=["10.77.0.3"])
    ran = net.run(profile, check=True)
    assert ran.stdout == "hello from 10.77.0.3\n", ran.describe()


def test_N3_a_name_of_the_hosts_file(net):
    net.network.hosts("10.77.0.2 db.test db\n")
    command = [net.lookup(), "libc", "db.test", str(PORT)]
    _, _, profile = net.learn(command)
    assert allowed(profile) == [f"tcp://db.test:{PORT}"], profile.text
    net.network.hosts("10.77.0.3 db.test db\n")
    ran = net.run(profile, check=True)
    assert ran.stdout == "hello from 10.77.0.3\n", ran.describe()
    assert not net.network.asked()


@pytest.mark.parametrize("client", ["getent", "dig", "c-ares", "musl"])
def test_N3_a_name_that_is_only_looked_up(net, client):
    """Nothing is connected to: the rule is the narrowest that names the host."""
    command = {
        "getent": ["getent", "hosts", "www.test"],
        "dig": ["dig", "+short", "www.test"],
        "c-ares": ["node", "-e", NODE_RESOLVE, "www.test"],
        "musl": [net.lookup("musl-gcc"), "libc", "www.test"],
    }[client]
    learned, _, profile = net.learn(command)
    assert allowed(profile) == ["icmp://www.test"], profile.text
    net.network.name("www.test", A=["10.77.0.3"])
    net.network.queries()
    ran = net.run(profile, check=True)
    assert ran.stdout == learned.stdout.replace("10.77.0.2", "10.77.0.3"), ran.describe()
    assert net.network.asked() == {"www.test"}
    other = [word.replace("www.test", "evil.test") for word in command]
    ran = net.run(profile, other)
    assert "10.77.0.9" not in ran.stdout and (ran.status != 0 or client == "dig"), ran.describe()
    assert "evil.test" not in net.network.asked()


WRITE = """
import os, socket, sys
address = socket.getaddrinfo("www.test", int(sys.argv[1]), type=socket.SOCK_DGRAM)[0][4]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect(address)
    SEND
"""


@pytest.mark.parametrize("others", ((), ("10.77.0.4", "10.77.0.5")), ids=("one address", "several"))
def test_N1_N2_N3_a_datagram_socket_that_is_closed_at_once(net, others):
    """A name that has one address is not compared by any resolver: who connects to it means it. Of several the one that is
    used is known by what comes back."""
    net.network.name("www.test", A=["10.77.0.2", *others])
    for address in ("10.77.0.2", *others):
        net.network.serve(address, PORT + 1, "udp")
    one_way, both_ways = (WRITE.replace("SEND", send) for send in ('os.write(s.fileno(), b"x")', 'os.write(s.fileno(), b"x"); s.recv(1)'))
    rule = [f"udp://www.test:{PORT + 1}"]
    _, _, profile = net.learn([PYTHON, "-c", both_ways, str(PORT + 1)])
    assert allowed(profile) == rule, profile.text
    _, _, profile = net.learn([PYTHON, "-c", WRITE.replace("SEND", "pass"), str(PORT + 1)])
    assert allowed(profile) == (["icmp://www.test"] if others else rule), profile.text
    if not others:
        _, _, profile = net.learn([PYTHON, "-c", one_way, str(PORT + 1)])
        assert allowed(profile) == rule, profile.text
        net.network.connections()
        net.run(profile, check=True)
        assert net.network.connections() == {f"10.77.0.2:{PORT + 1}": 1}


def test_N3_a_name_without_success_is_not_learned(net):
    _, _, profile = net.learn(["sh", "-c", "getent hosts nothing.test; true"])
    assert not allowed(profile), profile.text


@pytest.mark.parametrize("how", CONNECTED + UNCONNECTED)
@pytest.mark.parametrize("cc", ["gcc", "musl-gcc"])
def test_N4_granted_names_and_no_others(net, how, cc):
    profile = net.profile(f"tcp://www.test:{PORT}")
    lookup = net.lookup(cc)
    ran = net.run(profile, [lookup, how, "www.test"])
    assert (ran.status, ran.stdout) == (0, "10.77.0.2\n"), ran.describe()
    assert net.network.asked() == {"www.test"}
    for name in ("evil.test", "secret.www.test", "test", "www.test.evil.test"):
        ran = net.run(profile, [lookup, how, name])
        expected = "rcode 3\n" if how in CONNECTED else f"{how}: Permission denied\n"
        assert (ran.status, ran.stdout) == (1, expected), ran.describe()
    assert net.network.asked() <= {"www.test"}  # the tool may look up what is granted, whenever it likes


def test_N4_bytes_beside_the_question_do_not_leave(net):
    profile = net.profile(f"tcp://www.test:{PORT}")
    ran = net.run(profile, [net.lookup(), "smuggle", "www.test"])
    assert ran.stdout == "sendto: Permission denied\n", ran.describe()
    assert net.network.asked() == set()


def test_N4_without_names_no_look_ups(net):
    for rules in ((), (f"tcp://10.77.0.2:{PORT}",), (f"tcp://*:{PORT}",)):
        profile = net.profile(*rules)
        for how in (*CONNECTED, *UNCONNECTED):
            ran = net.run(profile, [net.lookup(), how, "www.test"])
            assert "Permission denied" in ran.stdout, ran.describe()
    assert net.network.asked() == set()


def test_N4_a_rule_for_the_nameserver_is_a_rule(net):
    """Who is granted the nameserver itself talks to it directly, and asks what it likes."""
    profile = net.profile(f"udp://{NAMESERVER}:53", f"tcp://www.test:{PORT}")
    for how in ("connected", "checked", "sendto", "sendmmsg"):
        ran = net.run(profile, [net.lookup(), how, "evil.test"])
        assert ran.stdout == "10.77.0.9\n", ran.describe()
    ran = net.run(profile, [net.lookup(), "peer", "evil.test"])
    assert ran.stdout == f"peer {NAMESERVER} 53\n", ran.describe()


PEERS = f"""
import socket
for family, style in ((socket.AF_INET, socket.SOCK_DGRAM), (socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM)):
    with socket.socket(family, style) as s:
        s.connect(("::ffff:{NAMESERVER}" if family == socket.AF_INET6 else "{NAMESERVER}", 53))
        print(s.getpeername()[:2])
with socket.socket() as s:
    s.connect(("www.test", {PORT}))
    print(s.getpeername())
try:
    socket.socket().getpeername()
except OSError as error:
    print(error)
"""


def test_N9_a_nameserver_is_the_peer_of_who_asks_it(net):
    ran = net.run(net.profile(f"tcp://www.test:{PORT}"), [PYTHON, "-c", PEERS], check=True)
    bare = net.call([PYTHON, "-c", PEERS])
    assert ran.stdout == bare.stdout and NAMESERVER in bare.stdout, ran.describe()


def test_N4_an_address_that_was_not_looked_up(net):
    """The name's present addresses are found out before its rule refuses one."""
    profile = net.profile(f"tcp://www.test:{PORT}")
    lookup = net.lookup()
    ran = net.run(profile, [lookup, "libc", "10.77.0.2", str(PORT)])
    assert ran.stdout == "hello from 10.77.0.2\n", ran.describe()
    assert net.network.asked() == {"www.test"}
    ran = net.run(profile, [lookup, "libc", "10.77.0.3", str(PORT)])
    assert "Permission denied" in ran.stdout, ran.describe()
    assert not {k for k in net.network.connections() if k.startswith("10.77.0.3")}


def test_N9_a_signal_ends_a_connect_that_waits_for_a_look_up(net):
    """Nobody answers at the nameserver (what comes back there is no reply), so the names are looked for in vain."""
    net.network.serve("10.77.0.98", 53, "udp")
    net.network.resolv_conf("nameserver 10.77.0.98\n")
    profile = net.profile(f"tcp://www.test:{PORT}")
    code = f"""
import ctypes, errno, signal, socket, struct
signal.signal(signal.SIGALRM, lambda *unused: print("rung", end=" "))
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.3)
address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons({PORT}), socket.inet_aton("10.77.0.2"))
libc = ctypes.CDLL(None, use_errno=True)
result = libc.connect(socket.socket().detach(), address, len(address)), errno.errorcode[ctypes.get_errno()]
print(*result)
"""
    ran = net.run(profile, [PYTHON, "-c", code])
    assert ran.stdout == "rung -1 EINTR\n", ran.describe()


@pytest.mark.parametrize("text", ["nameserver 10.77.0.99\n", "", "nameserver nonsense\n"])
def test_N4_starts_without_a_nameserver(net, text):
    net.network.resolv_conf(text)
    profile = net.profile(f"tcp://www.test:{PORT}", "udp://nothing.test:5353")
    ran = net.run(profile, ["echo", "started"])
    assert (ran.status, ran.stdout, ran.messages) == (0, "started\n", []), ran.describe()
    # And a name that does not resolve is refused by itself, not by an error of the tool.
    ran = net.run(profile, ["getent", "hosts", "www.test"])
    assert ran.status == 2, ran.describe()


def test_N4_the_search_list(net):
    """Names that the search list makes up do not leave; the granted one is found all the same."""
    net.network.resolv_conf(f"search corp.test lab.test\noptions ndots:5\nnameserver {NAMESERVER}\n")
    profile = net.profile(f"tcp://www.test:{PORT}")
    ran = net.run(profile, ["curl", "-sS", f"http://www.test:{PORT}/"])
    assert ran.stdout == "hello from 10.77.0.2\n", ran.describe()
    assert net.network.asked() == {"www.test"}


def test_N4_reverse_names_of_granted_hosts(net):
    net.network.name("2.0.77.10.in-addr.arpa", PTR="www.test")
    net.network.name("9.0.77.10.in-addr.arpa", PTR="evil.test")
    profile = net.profile(f"tcp://www.test:{PORT}")
    code = "import socket; print(socket.gethostbyname('www.test'), socket.gethostbyaddr('10.77.0.2')[0])"
    ran = net.run(profile, [PYTHON, "-c", code])
    assert ran.stdout == "10.77.0.2 www.test\n", ran.describe()
    net.network.queries()
    ran = net.run(profile, [PYTHON, "-c", "import socket; socket.gethostbyaddr('10.77.0.9')"])
    assert ran.status == 1, ran.describe()
    assert net.network.asked() == set()


def test_N4_the_resolver_on_a_changed_file(net):
    """Another nameserver is found while the command runs."""
    net.network.resolv_conf("nameserver 10.77.0.99\n")
    profile = net.profile(f"tcp://www.test:{PORT}")
    code = f"""
import pathlib, socket, sys, time
print("ready", flush=True)
sys.stdin.read()
print(socket.gethostbyname("www.test"))
"""
    # The file changes before the program asks for the first time, but after the tool has started.
    command = net.network.inside([net.sandlock, "run", "-p", str(profile), "--", PYTHON, "-c", code], net.work)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=net.env) as process:
        assert process.stdout.readline() == "ready\n"
        net.network.resolv_conf(f"nameserver {NAMESERVER}\n")
        process.stdin.close()
        assert process.stdout.read() == "10.77.0.2\n"


def test_N4_what_the_command_may_write_names_nobody(net):
    """It could say itself who its nameserver is, and which address a granted name has: both stay as they were at the start."""
    net.network.serve("10.77.0.98", 53, "udp")
    profile = net.profile(f"tcp://www.test:{PORT}")
    code = f"""
import socket, sys
def reach(name, make):
    try:
        make()
        print(name, "reached")
    except PermissionError:
        print(name, "refused")
open("/etc/resolv.conf", "w").write("nameserver 10.77.0.98\\n")
open("/etc/hosts", "w").write("10.77.0.9 www.test\\n")
reach("nameserver", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("10.77.0.98", 53)))
reach("sent", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes.fromhex(sys.argv[1]), ("10.77.0.98", 53)))
reach("host", lambda: socket.create_connection(("10.77.0.9", {PORT})))
reach("moved", lambda: socket.create_connection(("10.77.0.2", {PORT})))
"""
    query = b"\x77\x77\1\0\0\1\0\0\0\0\0\0\3www\4test\0\0\1\0\1".hex()
    ran = net.run(profile, [PYTHON, "-c", code, query], "-w", "/etc/hosts", "-w", "/etc/resolv.conf")
    assert ran.stdout.split("\n") == ["nameserver refused", "sent refused", "host refused", "moved reached", ""], ran.describe()
    assert not {k for k in net.network.connections() if k.startswith(("10.77.0.9:", "10.77.0.98"))}


def test_N4_servers_that_look_up_any_name(net):
    """nscd would answer for every name. It is not learned and not reached; the C library goes on to the nameserver."""
    net.network.serve("", 0, "nscd")
    command = ["getent", "hosts", "www.test"]
    bare = net.call(command)
    assert bare.status == 0 and "nscd:0" in net.network.connections(), bare.describe()
    _, _, profile = net.learn(command)
    assert allowed(profile) == ["icmp://www.test"], profile.text
    assert "unix" not in profile.data["network"], profile.text
    net.run(profile, check=True)
    assert "nscd:0" not in net.network.connections()
