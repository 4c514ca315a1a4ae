"""L2 for programs that use the network: each is learned, then replayed while the names that it uses have moved, and what is
next to what it used (another address, port, protocol, local socket) is refused.

All run in a network of the module's own (nameserver.py), whose servers are started when the first test needs them. The host
is www.test: 10.77.0.2 bare and while learning, 10.77.0.3 afterwards; 10.77.0.9 has the same servers and no name.
"""

import dataclasses
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

import pytest

from nameserver import NAMESERVER, Network, missing
from netservers import NetBox, Servers

PYTHON = "/usr/bin/python3"
BEFORE, AFTER, STRANGER = "10.77.0.2", "10.77.0.3", "10.77.0.9"
HTTP, HTTPS, GIT, SSH, REDIS, POSTGRES, UDP, OWN = 8080, 8443, 8090, 2222, 6379, 5432, 5140, 7001
# Nobody's, but granted to nobody either.
UNUSED = 7999
READY_S = 60


class World:
    """The network of the module and what serves in it."""

    def __init__(self, top, reach):
        self.top, self.reach = top, reach
        self.files = top / "etc"
        self.files.mkdir()
        self.network = Network(self.files)
        self.started = {}
        self.daemons = []
        # A server's directory that another user has to reach.
        self.open = tempfile.mkdtemp(prefix="sandlock-corpus.", dir="/var/tmp")
        os.chmod(self.open, 0o755)

    def close(self):
        for one in self.daemons:
            one.terminate()
        for one in self.daemons:
            try:
                one.wait(20)
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()
        self.network.close()
        shutil.rmtree(self.open)

    def need(self, name):
        if name not in self.started:
            self.started[name] = None
            getattr(self, name)()

    def daemon(self, command, *ready):
        """Start a server; it is there when these destinations can be reached."""
        self.daemons.append(subprocess.Popen(self.network.inside(command, self.top), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        end = time.monotonic() + READY_S
        while True:
            done = subprocess.run(self.network.inside([self.reach, *ready], "/"), capture_output=True, text=True, check=True)
            if set(done.stdout.split()) == {"0"}:
                return
            assert time.monotonic() < end and self.daemons[-1].poll() is None, f"{command} is not ready: {done.stdout}"
            time.sleep(0.02)

    def everywhere(self, port, *kind, **options):
        """A server at each address, and another at the next port."""
        for address in (BEFORE, AFTER, STRANGER):
            self.network.serve(address, port, *kind, **options)
        self.network.serve(AFTER, port + 1)

    def http(self):
        self.everywhere(HTTP)
        self.network.serve("::1", HTTP + 1)

    def certificate(self):
        command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=www.test -addext"
        command = [*command.split(), "subjectAltName=DNS:www.test", "-keyout", self.top / "key", "-out", self.top / "ca.pem"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        (self.top / "both.pem").write_text((self.top / "key").read_text() + (self.top / "ca.pem").read_text())

    def https(self):
        self.certificate()
        self.everywhere(HTTPS, "https", pem=str(self.top / "both.pem"))

    def udp(self):
        self.everywhere(UDP, "udp")
        self.network.serve(AFTER, UDP)

    def repository(self):
        work = self.top / "work"
        script = f"""git init -q -b main {work} && cd {work} && seq 1000 >numbers && mkdir d && echo x >d/x && git add . &&
git -c user.name=a -c user.email=a@b commit -qm first && git clone -q --bare . {self.top}/project.git &&
git -C {self.top}/project.git config receive.denyCurrentBranch ignore"""
        subprocess.run(["sh", "-ec", script], check=True, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})

    def git(self):
        self.need("repository")
        self.everywhere(GIT, "git", root=str(self.top))

    def ssh(self):
        self.need("repository")
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.top / name], check=True)
        (self.top / "authorized").write_text((self.top / "client.pub").read_text())
        key = " ".join((self.top / "host.pub").read_text().split()[:2])
        (self.top / "known").write_text(f"[www.test]:{SSH} {key}\n")
        (self.top / "ssh_config").write_text(
            f"IdentityFile {self.top}/client\nIdentitiesOnly yes\nUserKnownHostsFile {self.top}/known\nGlobalKnownHostsFile /dev/null\n"
            "StrictHostKeyChecking yes\nBatchMode yes\n"
        )
        (self.top / "sshd_config").write_text(
            f"Port {SSH}\nHostKey {self.top}/host\nAuthorizedKeysFile {self.top}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin prohibit-password\n"
        )
        command = ["/usr/sbin/sshd", "-D", "-f", self.top / "sshd_config"]
        if os.geteuid() == 0:
            # As root it wants a directory in /run: in a mount namespace of its own.
            command = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"', "sh", *command]
        self.network.serve(AFTER, SSH + 1)
        self.daemon(command, f"tcp://{BEFORE}:{SSH}")

    def redis_server(self, directory):
        """The server by its name: the one program of redis-tools is the server too, as its name says."""
        link = directory / "redis-server"
        link.symlink_to("/usr/bin/redis-check-rdb")
        return str(link)

    def redis(self):
        self.network.serve(AFTER, REDIS + 1)
        options = ("--port", str(REDIS), "--protected-mode", "no", "--save", "", "--dir", self.top, "--logfile", self.top / "redis.log")
        self.daemon([self.redis_server(self.top), *options], f"tcp://{BEFORE}:{REDIS}")

    def postgres(self):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        data = f"{self.open}/data"
        become = ()
        if os.geteuid() == 0:
            shutil.chown(self.open, "postgres", "postgres")
            become = ("setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups")
        for command in ([f"{programs}/initdb", "-D", data, "-A", "trust", "-U", "somebody", "--no-sync"],):
            subprocess.run([*become, *command], check=True, cwd=self.open, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with open(f"{data}/pg_hba.conf", "a", encoding="ascii") as f:
            f.write("host all all 10.0.0.0/8 trust\n")
        self.network.serve(AFTER, POSTGRES + 1)
        options = ("-c", "listen_addresses=*", "-c", f"port={POSTGRES}", "-c", "fsync=off", "-k", f"{self.open}", "-c", "log_min_messages=fatal")
        command = [*become, f"{programs}/postgres", "-D", data, *options]
        self.daemon(command, f"tcp://{BEFORE}:{POSTGRES}", f"unix:{self.open}/.s.PGSQL.{POSTGRES}")

    def dbus(self):
        places = [f"path={self.top}/bus", f"path={self.top}/bus2", "abstract=corpus-bus", "abstract=corpus-bus2"]
        listen = "".join(f"<listen>unix:{place}</listen>" for place in places)
        policy = '<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy>'
        (self.top / "bus.conf").write_text(f"<busconfig><type>session</type>{listen}{policy}</busconfig>")
        ready = [f"unix:{place}" for place in (f"{self.top}/bus", f"{self.top}/bus2", "@corpus-bus", "@corpus-bus2")]
        self.daemon(["dbus-daemon", f"--config-file={self.top}/bus.conf", "--nofork", "--nopidfile"], *ready)


class CorpusBox(NetBox):
    """A box in the world's network, where www.test moves after learning."""

    world = servers = sockets = None

    def learn(self, *arguments, **options):
        learned = super().learn(*arguments, **options)
        self.name(AFTER)
        self.network.connections()
        return learned

    def name(self, address, **more):
        self.network.name("www.test", A=[address], **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory, program):
    if reason := missing():
        pytest.skip(f"no network of the test's own can be made: {reason}")
    made = World(tmp_path_factory.mktemp("world"), program("reach"))
    yield made
    made.close()


@pytest.fixture
def net(tmp_path, sandlock, program, world):
    box = CorpusBox(tmp_path, sandlock, program)
    box.world, box.network = world, world.network
    box.name(BEFORE)
    # Not among the files that are put back.
    box.sockets = tmp_path / "sockets"
    box.sockets.mkdir()
    with Servers() as servers:
        box.servers = servers
        servers.local(box.sockets / "other")
        yield box


def anonymous(text):
    """Without what moves: addresses and times."""
    return re.sub(r"10\.77\.0\.\d+|::1\b", "ADDRESS", re.sub(r"[\d./]+ ?ms", "TIME", text))


@dataclasses.dataclass
class Case:
    """A program: its command line (a function of the box), the servers that it needs, and what learn is to write."""

    command: Callable
    needs: tuple = ()
    allow: tuple = ()
    bind: tuple = ()
    unix: Callable = lambda n: []
    refused: tuple = ()
    ports: tuple = ()
    options: dict = dataclasses.field(default_factory=dict)


FETCH_TLS = (
    "import ssl, sys, urllib.request; c = ssl.create_default_context(cafile=sys.argv[2]);"
    " sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=60, context=c).read().decode())"
)
# Many connections at once, each after a look-up of its own.
CROWD = """
import asyncio, sys
async def one():
    reader, writer = await asyncio.open_connection("www.test", int(sys.argv[1]), happy_eyeballs_delay=0.1)
    writer.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
    text = await reader.read()
    writer.close()
    return text.split()[-1]
async def main():
    print(sorted(set(await asyncio.gather(*(one() for _ in range(64))))))
asyncio.run(main())
"""
NODE_CROWD = """
const http = require("http"), agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
let left = 64, good = 0;
for (let i = 0; i < 64; i++) http.get(process.argv[1], { agent }, r => { r.resume(); r.on("end", () => {
    good += r.statusCode == 200; if (!--left) { console.log(good); agent.destroy(); } }); });
"""
NODE_TLS = "require('https').get(process.argv[1], {ca: require('fs').readFileSync(process.argv[2])}, r => r.pipe(process.stdout))"
NODE = "require('http').get(process.argv[1], r => r.pipe(process.stdout))"
SYSLOG = "import logging.handlers as h, logging, sys; l = logging.getLogger(); l.addHandler(h.SysLogHandler(eval(sys.argv[1]))); l.error('hi')"
REDIS_OWN = f"""./redis-server --port {OWN} --bind 127.0.0.1 --save '' --logfile log &
sleep 0.01; for i in $(seq 200); do redis-cli -p {OWN} ping >/dev/null 2>&1 && break; sleep 0.05; done
redis-cli -p {OWN} set key value; redis-cli -p {OWN} get key; redis-cli -p {OWN} shutdown nosave; wait"""
NGINX = f"""user root;
daemon off;
worker_processes 1;
pid pid;
events {{ }}
http {{
    access_log access;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{ listen 127.0.0.1:{OWN}; location / {{ root files; }} }}
}}
"""
NGINX_OWN = f"""/usr/sbin/nginx -p $PWD -c nginx.conf -e error 2>/dev/null &
sleep 0.01; for i in $(seq 200); do curl -sf http://127.0.0.1:{OWN}/page && break; sleep 0.05; done; kill -QUIT $!; wait"""


def redis_own(n):
    n.world.redis_server(n.work)
    return ["sh", "-c", REDIS_OWN]


def nginx_own(n):
    n.file("nginx.conf", NGINX)
    n.file("files/page", "a page\n")
    return ["sh", "-c", NGINX_OWN]


def git_over_http(n):
    script = f"git clone -q http://www.test:{GIT}/project.git p && cd p && git pull -q && git ls-remote origin && wc -l numbers"
    return ["sh", "-ec", script]


def git_over_ssh(n):
    url = f"ssh://www.test:{SSH}{n.world.top}/project.git"
    return ["sh", "-ec", f"export GIT_SSH_COMMAND='ssh -F {n.world.top}/ssh_config'; git clone -q {url} p && wc -l p/numbers"]


def psql(host):
    program = sorted(glob.glob("/usr/lib/postgresql/*/bin/psql"))[-1:]
    return [*program, "-h", host, "-p", str(POSTGRES), "-U", "somebody", "-Atc", "select sum(i) from generate_series(1, 9) i", "postgres"]


def local_http(n):
    n.servers.http(n.sockets / "api")
    return ["curl", "-sS", "--unix-socket", n.sockets / "api", "http://docker/v1/info"]


def local_log(n):
    n.servers.local(n.sockets / "log", socket.SOCK_DGRAM)
    return ["logger", "-u", n.sockets / "log", "-t", "corpus", "a message"]


def eyes(port):
    """The name has an IPv6 address too, where nobody listens at one port and only there at the next."""

    def command(n):
        n.name(BEFORE, AAAA=["::1"])
        return [PYTHON, "-c", CROWD, str(port)]

    return command


WEB, TLS = f"http://www.test:{HTTP}/", f"https://www.test:{HTTPS}/"
CASES = {
    "curl": Case(lambda n: ["curl", "-sS", WEB], ("http",), ("tcp",), ports=(HTTP,)),
    "curl-https": Case(lambda n: ["curl", "-sS", "--cacert", n.world.top / "ca.pem", TLS], ("https",), ("tcp",), ports=(HTTPS,)),
    "wget": Case(lambda n: ["wget", "-q", "-O", "page", WEB], ("http",), ("tcp",), ports=(HTTP,), options={"ignore": ["page"]}),
    "urllib-https": Case(lambda n: [PYTHON, "-c", FETCH_TLS, TLS, n.world.top / "ca.pem"], ("https",), ("tcp",), ports=(HTTPS,)),
    "node": Case(lambda n: ["node", "-e", NODE, WEB], ("http",), ("tcp",), ports=(HTTP,)),
    "node-https": Case(lambda n: ["node", "-e", NODE_TLS, TLS, n.world.top / "ca.pem"], ("https",), ("tcp",), ports=(HTTPS,)),
    "node-crowd": Case(lambda n: ["node", "-e", NODE_CROWD, WEB], ("http",), ("tcp",), ports=(HTTP,)),
    "asyncio-crowd": Case(eyes(HTTP), ("http",), ("tcp",), ports=(HTTP,)),
    "asyncio-crowd-6": Case(eyes(HTTP + 1), ("http",), ("tcp",), ports=(HTTP + 1,)),
    "musl": Case(lambda n: [n.lookup("musl-gcc"), "libc", "www.test", str(HTTP)], ("http",), ("tcp",), ports=(HTTP,)),
    "git-http": Case(git_over_http, ("git",), ("tcp",), ports=(GIT,), options={"ignore": ["!/p/.git"]}),
    "git-ssh": Case(git_over_ssh, ("ssh",), ("tcp",), ports=(SSH,), options={"ignore": ["!/p/.git"]}),
    "redis-cli": Case(lambda n: ["redis-cli", "-h", "www.test", "echo", "hi"], ("redis",), ("tcp",), ports=(REDIS,)),
    "redis": Case(redis_own, bind=(OWN,), options={"ignore": ["log"]}),
    "nginx": Case(nginx_own, bind=(OWN,), options={"ignore": ["access", "error"]}),
    "psql": Case(lambda n: psql("www.test"), ("postgres",), ("tcp",), ports=(POSTGRES,)),
    "psql-local": Case(lambda n: psql(n.world.open), ("postgres",), unix=lambda n: [f"{n.world.open}/.s.PGSQL.{POSTGRES}"]),
    "ping": Case(lambda n: ["ping", "-c", "1", "www.test"], (), ("icmp",)),
    "ping-address": Case(lambda n: ["ping", "-n", "-c", "1", "127.0.0.1"], (), ("icmp://127.0.0.1",), refused=("icmp://127.0.0.2",)),
    "ip": Case(lambda n: ["sh", "-c", "ip addr; ip route; ip -6 addr show lo"]),
    # Sockets of sock_diag(7) are refused always; it goes on to files of /proc.
    "ss": Case(lambda n: ["sh", "-c", "ss -tl 2>/dev/null | wc -l"], ("http",)),
    "dig": Case(lambda n: ["dig", "+short", "+tcp", "www.test"], (), ("icmp",), (0,)),
    "logger-udp": Case(lambda n: ["logger", "-d", "-n", "www.test", "-P", str(UDP), "hi"], ("udp",), ("udp",), ports=(UDP,)),
    "logger-local": Case(local_log, unix=lambda n: [f"{n.sockets}/log"]),
    "syslog-python": Case(lambda n: [PYTHON, "-c", SYSLOG, f"('www.test', {UDP})"], ("udp",), ("udp",), ports=(UDP,)),
    "dbus-send": Case(
        lambda n: ["dbus-send", f"--bus=unix:path={n.world.top}/bus", "--print-reply=literal", "--dest=org.freedesktop.DBus", "/",
                   "org.freedesktop.DBus.GetId"],
        ("dbus",), unix=lambda n: [f"{n.world.top}/bus"], refused=("unix:@corpus-bus",),
    ),
    "gdbus": Case(
        lambda n: ["gdbus", "call", "--address", "unix:abstract=corpus-bus", "--dest", "org.freedesktop.DBus", "--object-path", "/",
                   "--method", "org.freedesktop.DBus.GetId"],
        ("dbus",), unix=lambda n: ["@corpus-bus"], refused=("unix:@corpus-bus2",),
    ),
    "curl-local": Case(local_http, unix=lambda n: [f"{n.sockets}/api"]),
}  # fmt: skip


def entries(case):
    """What `allow` is to hold: a scheme alone means www.test at the case's port."""
    found = []
    for entry in case.allow:
        port = f":{case.ports[0]}" if case.ports else ""
        found.append(entry if "://" in entry else f"{entry}://www.test{port}")
    return found


def neighbours(n, case):
    """What is next to what is granted."""
    found = {f"icmp://{STRANGER}", f"tcp://{STRANGER}:{HTTP}", f"udp://{STRANGER}:{UDP}", f"unix:{n.sockets}/other", f"bind://{UNUSED}"}
    for port in case.ports:
        other = "udp" if "tcp" in case.allow else "tcp"
        found |= {f"{scheme}://{STRANGER}:{port}" for scheme in ("tcp", "udp")}
        found |= {f"{case.allow[0]}://{BEFORE}:{port}", f"{case.allow[0]}://{AFTER}:{port + 1}", f"{other}://{AFTER}:{port}"}
    for port in filter(None, case.bind):
        found |= {f"tcp://127.0.0.2:{port}", f"tcp://127.0.0.1:{port + 1}", f"udp://127.0.0.1:{port}", f"bind://{port + 1}"}
    return sorted(found | set(case.refused))


@pytest.mark.parametrize("name", CASES)
def test_L2_programs_on_a_network(net, name):
    case = CASES[name]
    for server in case.needs:
        net.world.need(server)
    command = case.command(net)
    net.network.connections()
    profile = net.replays(command, normal=anonymous, siblings=False, **case.options)
    network = profile.data.get("network", {})
    assert network.get("allow", []) == entries(case), profile.text
    assert network.get("allow_bind", []) == list(case.bind), profile.text
    assert network.get("unix", []) == case.unix(net), profile.text
    # Only the moved name was reached, and nothing beside it.
    came = {key for key in net.network.connections() if not key.startswith(NAMESERVER)}
    assert came <= {f"{AFTER}:{port}" for port in case.ports}, came
    targets = neighbours(net, case)
    ran = net.run(profile, [net.world.reach, *targets], "-r", net.world.reach, check=True)
    answers = dict(zip(targets, ran.stdout.split()))
    assert len(answers) == len(targets) and set(answers.values()) == {"EACCES"}, f"{answers}\n{profile.text}"
    came = {key for key in net.network.connections() if not key.startswith(NAMESERVER)}
    assert not came, came
    # Bare none of them is refused.
    bare = dict(zip(targets, net.call([net.world.reach, *targets]).stdout.split()))
    assert len(bare) == len(targets) and "EACCES" not in bare.values(), bare
