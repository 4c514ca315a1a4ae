"""What [network] and the --net options let a command reach."""

import os
import random
import socket
import time

import pytest
from netservers import STEPS, Servers, steps

HI, GOT, NO = "b'hi'", "b'gotx'", "EACCES"


def confined(box, body, *options, network=None, status=0, **call):
    """The steps of a script under -r / and these options, or a profile with these [network] lines."""
    arguments = ["-r", "/", "-w", box.work]
    if network is not None:
        arguments += ["-p", box.file("net.toml", f"version = 2\n[network]\n{network}\n")]
    result = box.tool("run", *arguments, *options, "--", "/usr/bin/python3", "-c", STEPS + body, cwd=box.work, **call)
    assert result.status == status, result.describe()
    return steps(result.stdout)


def test_N6_protocol_address_and_port(box):
    with Servers() as s:
        good, neighbour, datagrams, other = s.tcp(), s.tcp(), s.udp(), s.udp()
        six = s.tcp("::1")
        body = f"""
step("tcp", lambda: tcp("127.0.0.1", {good.port}))
step("tcp mapped", lambda: tcp("::ffff:127.0.0.1", {good.port}, socket.AF_INET6))
step("tcp any", lambda: tcp("0.0.0.0", {good.port}))
step("tcp neighbour port", lambda: tcp("127.0.0.1", {neighbour.port}))
step("tcp neighbour mapped", lambda: tcp("::ffff:127.0.0.1", {neighbour.port}, socket.AF_INET6))
step("tcp neighbour address", lambda: tcp("127.0.0.2", {good.port}))
step("tcp other family", lambda: tcp("::1", {six.port}, socket.AF_INET6))
step("udp by a tcp rule", lambda: udp("127.0.0.1", {good.port}))
for how in ("sendto", "connect", "sendmsg", "write"):
    step("udp " + how, lambda: udp("127.0.0.1", {datagrams.port}, how=how))
    step("udp mapped " + how, lambda: udp("::ffff:127.0.0.1", {datagrams.port}, socket.AF_INET6, how))
    step("udp neighbour " + how, lambda: udp("127.0.0.1", {other.port}, how=how))
step("tcp by a udp rule", lambda: tcp("127.0.0.1", {datagrams.port}))
"""
        options = ("--net-allow", f"tcp://127.0.0.1:{good.port}", "--net-allow", f"udp://127.0.0.1:{datagrams.port}")
        found = confined(box, body, *options)
        expected = {"tcp": HI, "tcp mapped": HI, "tcp any": HI}
        expected |= {f"udp {how}": GOT for how in ("sendto", "connect", "sendmsg", "write")}
        expected |= {f"udp mapped {how}": GOT for how in ("sendto", "connect", "sendmsg", "write")}
        assert found == {name: expected.get(name, NO) for name in found}
        assert neighbour.count == other.count == six.count == 0
        # The same from a profile, of either version.
        network = f'allow = ["tcp://127.0.0.1:{good.port}", "udp://127.0.0.1:{datagrams.port}"]'
        assert confined(box, body, network=network) == found
        # Nothing listed.
        assert set(confined(box, body).values()) == {NO}


def test_N6_an_icmp_rule_tells_the_source_address_and_sends_nothing(box):
    with Servers() as s:
        datagrams = s.udp()
        body = f"""
def source(host, then):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect((host, {datagrams.port}))
        return then(s)
step("source", lambda: source("127.0.0.1", lambda s: s.getsockname()[0]))
step("peer", lambda: source("127.0.0.1", lambda s: s.getpeername()))
step("send", lambda: source("127.0.0.1", lambda s: s.send(b"x")))
step("write", lambda: source("127.0.0.1", lambda s: os.write(s.fileno(), b"x")))
step("to", lambda: source("127.0.0.1", lambda s: s.sendto(b"x", ("127.0.0.1", {datagrams.port}))))
step("message", lambda: source("127.0.0.1", lambda s: s.sendmsg([b"x"])))
step("twice", lambda: source("127.0.0.1", lambda s: s.connect(("127.0.0.1", 9))))
step("other", lambda: source("127.0.0.2", lambda s: s.getsockname()))
"""
        found = confined(box, body, "--net-allow", "icmp://127.0.0.1")
        assert found == {
            "source": "127.0.0.1", "peer": "ENOTCONN", "send": "EDESTADDRREQ", "write": "EDESTADDRREQ", "to": NO, "message": "EDESTADDRREQ",
            "twice": NO, "other": NO,
        }  # fmt: skip
        # While one thread has it connected again and again, others send.
        race = f"""
import threading
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
done = []
def send():
    while not done:
        try:
            os.write(s.fileno(), b"x")
            print("sent: ok")
        except OSError:
            pass
threads = [threading.Thread(target=send) for _ in range(2)]
[t.start() for t in threads]
for _ in range(3000):
    s.connect_ex(("127.0.0.1", {datagrams.port}))  # refused where a write has given it a port already
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as fresh:
        os.dup2(fresh.fileno(), s.fileno())
done.append(1)
[t.join() for t in threads]
print("raced: ok")
"""
        assert confined(box, race, "--net-allow", "icmp://127.0.0.1") == {"raced": "ok"}
        assert datagrams.count == 0


def test_N6_listeners_of_its_own_alone_need_no_entry(box):
    """Neither a port that is shared, or can be, nor one that was its own, nor an address of another machine."""
    with socket.socket() as shared, Servers() as s:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen()
        others = s.tcp()
        body = f"""
def listen(host="127.0.0.1", port=0, *options):
    server = socket.socket()
    for level, option in options:
        server.setsockopt(level, option, 1)
    server.bind((host, port))
    server.listen()
    return server
def reach(server):
    with socket.socket() as s:
        s.settimeout(20)
        return s.connect(server.getsockname())
def closed():
    server = listen()
    name = server.getsockname()
    server.close()
    socket.socket().connect(name)
def ended():
    server = listen()
    name = server.getsockname()
    server.shutdown(socket.SHUT_RDWR)
    socket.socket().connect(name)
reuse = (socket.SOL_SOCKET, socket.SO_REUSEPORT)
def six_alone():
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::", 0))
        server.listen()
        socket.socket().connect(("127.0.0.1", server.getsockname()[1]))
step("own", lambda: reach(listen()))
step("six alone", six_alone)
step("alone", lambda: reach(listen("127.0.0.1", 0, reuse)))
step("shared", lambda: reach(listen("127.0.0.1", {shared.getsockname()[1]}, reuse)))
step("closed", closed)
step("ended", ended)
step("elsewhere", lambda: reach(listen("192.0.2.1", 0, (socket.IPPROTO_IP, 15))))
step("other", lambda: tcp("127.0.0.1", {others.port}))
"""
        rules = f'allow_bind = ["0", "{shared.getsockname()[1]}"]'
        found = confined(box, body, network=rules)
        assert found == {name: "ok" if name == "own" else NO for name in found} and len(found) == 8, found
        shared.settimeout(0)
        with pytest.raises(BlockingIOError):
            shared.accept()
        assert others.count == 0
        # A denial holds for them too.
        found = confined(box, body, network=f'deny = ["127.0.0.0/8"]\n{rules}')
        assert {found[name] for name in ("own", "shared", "closed", "ended", "other")} == {NO}, found


def test_N6_deny_and_networks(box):
    with Servers() as s:
        one, two = s.tcp(), s.tcp()
        body = f"""
step("one", lambda: tcp("127.0.0.1", {one.port}))
step("mapped", lambda: tcp("::ffff:127.0.0.1", {one.port}, socket.AF_INET6))
step("any", lambda: tcp("0.0.0.0", {one.port}))
step("two", lambda: tcp("127.0.0.1", {two.port}))
"""
        def found(**network):
            return "".join("y" if v == HI else "n" if v == NO else v for v in confined(box, body, **network).values())

        assert found(network='deny = ["10.0.0.0/8"]') == "yyyy"
        assert found(network='deny = ["127.0.0.0/8"]') == "nnnn"
        assert found(network=f'deny = ["tcp://127.0.0.1:{one.port}"]') == "nnny"
        assert found(network=f'deny = ["[::ffff:127.0.0.1]:{one.port}"]') == "nnny"
        assert found(network='allow = ["tcp://127.0.0.0/30"]') == "yyyy"
        assert found(network='allow = ["tcp://127.0.0.4/30"]') == "nnnn"
        assert found(network=f'allow = ["*:{one.port}"]') == "yyyn"
        assert found(network=f'allow = ["tcp://*:{one.port}"]') == "yyyn"
        assert found(network=f'allow = ["tcp://*"]\ndeny = ["127.0.0.1:{two.port}"]') == "yyyn"


def unused_port():
    """A port that is free on both families, and that the kernel gives nobody who asks for any."""
    for port in random.sample(range(20000, 30000), 100):
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("::1", port), family=socket.AF_INET6):
                return port
        except OSError:
            continue
    raise AssertionError("no port is free")


@pytest.mark.parametrize("more", ("", 'unix = ["@sandlock-nobody"]', 'allow = ["udp://192.0.2.1:9"]'))
def test_N10_bind_holds_with_and_without_other_rules(box, more):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port, near = taken.getsockname()[1], unused_port()
        body = f"""
def bind(port, family=socket.AF_INET, style=socket.SOCK_STREAM, then=None):
    with socket.socket(family, style) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        s.listen(1) if style == socket.SOCK_STREAM else None
step("granted", lambda: bind({near}))
step("granted 6", lambda: bind({near}, socket.AF_INET6))
step("in use", lambda: bind({port}))
step("other", lambda: bind({port - 100}))
step("picked", lambda: bind(0))
step("listen unbound", lambda: socket.socket().listen(1))
"""
        allow = f"allow_bind = [{port}, {near}]\n{more}"
        found = confined(box, body, network=allow)
        assert found == {
            "granted": "ok", "granted 6": "ok", "in use": "EADDRINUSE", "other": NO, "picked": NO, "listen unbound": NO,
        }  # fmt: skip
        found = confined(box, body, network=f"allow_bind = [0]\n{more}")
        assert (found["picked"], found["listen unbound"], found["other"]) == ("ok", "ok", NO)
        found = confined(box, body, network=f"deny_bind = [{port - 100}]\n{more}")
        assert (found["picked"], found["granted"], found["other"]) == ("ok", "ok", NO)
        found = confined(box, body, network=f'allow_bind = ["*"]\n{more}')
        assert (found["picked"], found["granted"], found["other"]) == ("ok", "ok", "ok")


def test_N6_ports_alone_are_the_kernels(box):
    with Servers() as s:
        good, other = s.tcp(), s.tcp()
        body = f"""
step("good", lambda: tcp("127.0.0.1", {good.port}))
step("other", lambda: tcp("127.0.0.1", {other.port}))
step("local", lambda: socket.socket(socket.AF_UNIX) and None)
step("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) and None)
step("fast open", lambda: socket.socket().sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", {good.port})))
"""
        found = confined(box, body, "--net-allow", f"tcp://*:{good.port}")
        assert found == {"good": HI, "other": NO, "local": NO, "udp": NO, "fast open": NO}


def test_N5_local_sockets(box):
    top = box.work
    with Servers() as s:
        good, other = s.local(top / "good"), s.local(top / "other")
        log = s.local(top / "log", socket.SOCK_DGRAM)
        name = f"sandlock-net-{os.getpid()}"
        abstract, abstract_other = s.local("\0" + name), s.local("\0" + name + "x")
        os.symlink(top / "other", top / "link")
        os.symlink(top / "good", top / "link-good")
        body = f"""
step("good", lambda: local("good"))
step("good absolute", lambda: local("{top}/good"))
step("link to good", lambda: local("link-good"))
step("other", lambda: local("other"))
step("link", lambda: local("link"))
step("log", lambda: local("log", socket.SOCK_DGRAM))
step("missing", lambda: local("missing"))
step("abstract", lambda: local("\\0{name}"))
step("abstract other", lambda: local("\\0{name}x"))
"""
        found = confined(box, body, network=f'unix = ["{top}/good", "@{name}"]')
        assert found == {
            "good": HI, "good absolute": HI, "link to good": HI, "other": NO, "link": NO, "log": NO, "missing": "ENOENT",
            "abstract": HI, "abstract other": NO,
        }  # fmt: skip
        assert confined(box, body, network=f'unix = ["{top}/log"]')["log"] == "1"
        # A read or write grant does not make a socket connectable.
        found = confined(box, body)
        assert {found[n] for n in ("good", "other", "link", "abstract")} == {NO} and other.count == abstract_other.count == 0
        assert set(confined(box, body, network=f'unix = ["{top}"]').values()) == {HI, "1", "ENOENT", NO}
        assert good.count and log.count and abstract.count


def test_N5_sockets_of_its_own_need_no_entry(box):
    body = """
def own(address, style=socket.SOCK_STREAM):
    if address[0] != "\\0" and os.path.exists(address):
        os.unlink(address)
    server = socket.socket(socket.AF_UNIX, style)
    server.bind(address)
    server.listen(5)
    client = socket.socket(socket.AF_UNIX, style)
    client.connect(address)
    server.accept()[0].send(b"hi")
    return client.recv(9)
step("path", lambda: own("mine"))
step("abstract", lambda: own("\\0sandlock-own-%d" % os.getpid()))
step("packets", lambda: own("mine2", socket.SOCK_SEQPACKET))
"""
    assert set(confined(box, body).values()) == {HI}
    assert set(confined(box, body, "--net-allow", "tcp://127.0.0.1:9", "--net-allow", "udp://127.0.0.1:9").values()) == {HI}


def test_N10_addresses_and_routes_can_be_looked_at(box):
    body = """
def ask(kind):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.bind((0, 0))
        s.send(struct.pack("=IHHII", 24, kind, 0x301, 1, 0) + bytes(8))
        return struct.unpack("=IHHII", s.recv(65536)[:16])[1] != 2
def change():
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        # RTM_NEWLINK on interface 1: up
        s.send(struct.pack("=IHHII", 32, 16, 5, 1, 0) + struct.pack("=BxHiII", 0, 0, 1, 1, 1))
        error = struct.unpack("=i", s.recv(65536)[16:20])[0]
        return errno.errorcode[-error]
step("links", lambda: ask(18))
step("addresses", lambda: ask(22))
step("routes", lambda: ask(26))
step("names", lambda: "lo" in [n for _, n in socket.if_nameindex()])
step("change", change)
for number in (4, 9, 12, 15, 16):
    step(f"netlink {number}", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, number))
for family in (40, 38, 30, 31, 16 + 13):
    step(f"family {family}", lambda: socket.socket(family, socket.SOCK_SEQPACKET))
"""
    for options in ((), ("--net-allow", "udp://127.0.0.1:9")):
        found = confined(box, body, *options)
        assert {found[n] for n in ("links", "addresses", "routes", "names")} == {"True"}, found
        assert found["change"] == "EPERM"
        assert {v for n, v in found.items() if n.startswith("netlink")} == {"EPROTONOSUPPORT"}, found
        assert {v for n, v in found.items() if n.startswith("family")} == {"EAFNOSUPPORT"}, found


def test_R8_refused_sockets_are_explained(box):
    with Servers() as s:
        server = s.tcp()
        local = s.local(box.work / "s")
        body = f"""
step("a", lambda: tcp("127.0.0.1", {server.port}))
step("b", lambda: udp("127.0.0.1", 9))
step("c", lambda: local("s"))
step("d", lambda: socket.socket().bind(("127.0.0.1", 0)))
step("e", lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
"""
        result = box.tool("run", "--explain", "-r", "/", "--", "/usr/bin/python3", "-c", STEPS + body, cwd=box.work)
        assert set(steps(result.stdout).values()) == {NO}, result.describe()
        text = "\n".join(result.messages)
        for part in (
            f'add to [network] allow: "tcp://127.0.0.1:{server.port}"', '"udp://HOST:PORT"',
            f'add to [network] unix: "{box.work}/s"', "local datagram socket", "allow_bind: 0",
        ):  # fmt: skip
            assert part in text, result.describe()
        assert server.count == local.count == 0


def test_bad_destinations_are_usage_errors(box):
    for option, value in (
        ("--net-allow", "ftp://x"), ("--net-deny", "host.example"), ("--net-allow-bind", "70000"), ("--net-deny-bind", "*"),
        ("--net-allow", "tcp://1.2.3.4:0"),
    ):  # fmt: skip
        result = box.tool("run", option, value, "--", "true")
        assert result.status == 2 and option in result.messages[0], result.describe()


def test_N9_as_another_user_inside(box):
    """A root command that became another user connects as that user."""
    if os.geteuid() != 0:
        return
    body = """
os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
with socket.socket(socket.AF_UNIX) as s:
    s.connect("PATH")
    print("peer: ok")
"""
    path = f"/var/tmp/sandlock-peer-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        os.chmod(path, 0o777)
        try:
            server.listen(1)
            server.settimeout(30)
            assert confined(box, body.replace("PATH", path), network=f'unix = ["{path}"]') == {"peer": "ok"}
            peer, _ = server.accept()
            credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            assert int.from_bytes(credentials[4:8], "little") == 65534
        finally:
            os.unlink(path)


def test_R13_signals_of_open_files_are_for_sockets_and_pipes(box):
    """A terminal takes its foreground group as owner, which may hold processes outside."""
    body = """
import fcntl, pty, signal
def switch(fd):
    return fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC)
a, b = socket.socketpair()
step("socket", lambda: switch(a.fileno()))
step("ioctl", lambda: fcntl.ioctl(a.fileno(), 0x5452, struct.pack("i", 1)) and None)
step("pipe", lambda: switch(os.pipe()[0]))
master, slave = pty.openpty()
step("terminal", lambda: switch(slave))
step("terminal ioctl", lambda: fcntl.ioctl(slave, 0x5452, struct.pack("i", 1)) and None)
rung = []
signal.signal(signal.SIGIO, lambda *a: rung.append(1))
fcntl.fcntl(a.fileno(), fcntl.F_SETOWN, os.getpid())
b.send(b"x")
deadline = time.monotonic() + 30
while not rung and time.monotonic() < deadline:
    time.sleep(0.01)
step("arrives", lambda: bool(rung))
"""
    found = confined(box, body, "-w", "/dev")
    assert (found["terminal"], found["terminal ioctl"]) == ("EPERM", "EPERM")
    assert found["arrives"] == "True" and {found[n] for n in ("socket", "ioctl", "pipe")} <= {"ok", "0", "b''"}, found


def test_N5_a_listener_that_was_handed_in_needs_an_entry(box):
    """Its name is nowhere where the command could have made it: that such a name is its own cannot be told for certain."""
    path = box.work / "handed"
    body = f"""
def reach():
    with socket.socket(socket.AF_UNIX) as s:
        s.connect({str(path)!r})
step("reach", reach)
"""
    command = ["/usr/bin/python3", "-c", STEPS + body]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        handed = {"pass_fds": (server.fileno(),)}
        # learn tells it by its time of birth, in ticks of this clock.
        clock_realtime_coarse = 5
        while time.clock_gettime_ns(clock_realtime_coarse) <= os.stat(path).st_ctime_ns:
            time.sleep(0.001)
        _, profile, parsed = box.learn(command, **handed)
        assert parsed.data["network"]["unix"] == [str(path)]
        assert steps(box.run(profile, check=True, **handed).stdout) == {"reach": "ok"}
        text = profile.read_text()
        profile.write_text(text[: text.index("unix = ")] + text[text.index("]", text.index("unix = ")) + 1 :])
        assert steps(box.run(profile, **handed).stdout) == {"reach": "EACCES"}
