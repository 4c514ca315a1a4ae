"""A network of the test's own: a loopback interface with addresses, a nameserver, servers behind the names.

Run as a program (by class Network below) this file is the one process that lives in a network and a mount namespace made by
unshare(1), as root or, in a user namespace, as an ordinary user. It puts its own resolv.conf, hosts and nsswitch.conf in
place of the machine's, serves names over UDP and TCP on 10.77.0.53, and does what it is told, one JSON object a line. Tests
run their commands inside through nsenter(1). Nothing leaves the namespace: it has no other interface.
"""

import fcntl
import http.server
import json
import os
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading

NAMESERVER = "10.77.0.53"
TYPES = {1: "A", 28: "AAAA", 5: "CNAME", 16: "TXT", 12: "PTR"}
DEADLINE_S = 120


def missing():
    """Why no such network can be made here (in a chroot the mounts cannot be made private, and an ordinary user gets no
    user namespace); "" where it can."""
    user = () if os.geteuid() == 0 else ("-U", "--map-current-user", "--keep-caps")
    done = subprocess.run(["unshare", *user, "-n", "-m", "true"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"unshare: status {done.returncode}"


class Network:
    """The namespaces, seen from the test. Records of a name: {"A": [..], "AAAA": [..], "CNAME": "name", "PTR": "name"}."""

    def __init__(self, directory):
        self.directory = directory
        user = () if os.geteuid() == 0 else ("-U", "--map-current-user", "--keep-caps")
        command = ["unshare", *user, "-n", "-m", sys.executable, os.path.abspath(__file__), str(directory)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            self.tell(op="ready")
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        enter = () if os.geteuid() == 0 else ("-U", "--preserve-credentials")
        self.enter = ["nsenter", "-t", str(self.process.pid), *enter, "-n", "-m"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(DEADLINE_S)

    def tell(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the network's process ended"
        answer = json.loads(line)
        assert "error" not in answer, answer
        return answer.get("result")

    def inside(self, command, cwd):
        """The command, to be run inside."""
        return [*self.enter, "env", "-C", str(cwd), *command]

    def name(self, name, truncate=False, **records):
        """Give a name these records in place of what it had; without records it does not exist. truncate: over UDP its
        answers are cut."""
        self.tell(op="name", name=name, records=records, truncate=truncate)

    def serve(self, address, port, kind="http", **options):
        """Start a server: "http" answers every GET with "hello from ADDRESS", "https" the same with the certificate and key
        in the file `pem`, "git" serves the repositories below `root`, "udp" echoes datagrams; "nscd" is a socket where nscd
        has its own."""
        self.tell(op="serve", address=address, port=port, kind=kind, **options)

    def hosts(self, text):
        self.tell(op="file", name="hosts", text="127.0.0.1 localhost\n" + text)

    def resolv_conf(self, text):
        self.tell(op="file", name="resolv.conf", text=text)

    def queries(self):
        """[protocol, name, type] of each query since the last call, in order."""
        return self.tell(op="queries")

    def asked(self):
        """The names of queries() as a set."""
        return {name for _, name, _ in self.queries()}

    def connections(self):
        """{"address:port": connections or datagrams} since the last call."""
        return self.tell(op="connections")


class World:
    """What the nameserver and the servers share."""

    def __init__(self):
        self.lock = threading.Lock()
        self.names = {}
        self.truncated = set()
        self.queries = []
        self.connections = {}

    def count(self, address, port):
        with self.lock:
            key = f"{address}:{port}"
            self.connections[key] = self.connections.get(key, 0) + 1


def wire_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


def record(owner, kind, data):
    number = {text: number for number, text in TYPES.items()}[kind]
    return wire_name(owner) + struct.pack(">HHIH", number, 1, 1, len(data)) + data


def answers_to(world, name, kind):
    """(rcode, records) for a question."""
    found = []
    for _ in range(16):
        records = world.names.get(name)
        if records is None:
            return (0 if found else 3), found
        if "CNAME" not in records or kind == "CNAME":
            break
        found.append(record(name, "CNAME", wire_name(records["CNAME"])))
        name = records["CNAME"].lower()
    families = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
    if kind in families:
        found += [record(name, kind, socket.inet_pton(families[kind], a)) for a in records.get(kind, [])]
    elif kind in ("PTR", "CNAME") and kind in records:
        found.append(record(name, kind, wire_name(records[kind])))
    return 0, found


def reply_to(world, message, protocol):
    """The reply to a query, which is noted; None where it is none."""
    if len(message) < 17 or struct.unpack(">H", message[4:6])[0] != 1:
        return None
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    question = message[12 : at + 5]
    name = ".".join(labels).lower()
    kind = TYPES.get(struct.unpack(">H", message[at + 1 : at + 3])[0], "other")
    with world.lock:
        world.queries.append((protocol, name, kind))
        rcode, records = answers_to(world, name, kind)
        cut = protocol == "udp" and name in world.truncated
    flags = 0x8180 | rcode | (0x0200 if cut else 0)
    count = 0 if cut else len(records)
    return message[:2] + struct.pack(">5H", flags, 1, count, 0, 0) + question + (b"" if cut else b"".join(records))


def serve_names_udp(world, sock):
    while True:
        message, peer = sock.recvfrom(4096)
        reply = reply_to(world, message, "udp")
        if reply:
            sock.sendto(reply, peer)


class NamesOverTcp(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            size = self.request.recv(2, socket.MSG_WAITALL)
            if len(size) < 2:
                return
            message = self.request.recv(struct.unpack(">H", size)[0], socket.MSG_WAITALL)
            reply = reply_to(self.server.world, message, "tcp")
            if not reply:
                return
            self.request.sendall(struct.pack(">H", len(reply)) + reply)


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"hello from {self.server.server_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Git(http.server.BaseHTTPRequestHandler):
    """Hands each request to git's own CGI program (RFC 3875)."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        env = {
            "PATH": "/usr/bin:/bin", "GIT_PROJECT_ROOT": self.server.root, "GIT_HTTP_EXPORT_ALL": "1", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "REMOTE_USER": "somebody",
            "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type") or "", "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }  # fmt: skip
        if encoding := self.headers.get("Content-Encoding"):
            env["HTTP_CONTENT_ENCODING"] = encoding
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=env, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().splitlines()]
        self.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_):
        pass


class Counting(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        taken = super().get_request()
        self.world.count(*self.server_address[:2])
        return taken


class Counting6(Counting):
    address_family = socket.AF_INET6


def echo(world, sock, address, port):
    while True:
        message, peer = sock.recvfrom(65535)
        world.count(address, port)
        sock.sendto(message, peer)


def hang_up(world, sock):
    while True:
        sock.accept()[0].close()
        world.count("nscd", 0)


def start(target, *arguments):
    threading.Thread(target=target, args=arguments, daemon=True).start()


def serve(world, address, port, kind, pem=None, root=None):
    if kind == "udp":
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, port))
        start(echo, world, sock, address, port)
        return
    if kind == "nscd":
        # A /run of this mount namespace's own.
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
        os.mkdir("/run/nscd")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind("/run/nscd/socket")
        os.chmod("/run/nscd/socket", 0o666)
        sock.listen()
        start(hang_up, world, sock)
        return
    handler = {"http": Hello, "https": Hello, "git": Git, "names": NamesOverTcp}[kind]
    server = (Counting6 if ":" in address else Counting)((address, port), handler)
    server.world = world
    server.root = root
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    start(server.serve_forever)


def interface_request(sock, request, name, rest):
    fcntl.ioctl(sock, request, struct.pack("16s24s", name, rest))


def configure_loopback():
    """Up, with all of 10.0.0.0/8 besides 127.0.0.0/8."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        up_and_running, set_flags, set_address = 0x41, 0x8914, 0x8916
        interface_request(sock, set_flags, b"lo", struct.pack("h", up_and_running))
        address = struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton("10.77.0.1"))
        interface_request(sock, set_address, b"lo:1", address)
    # Echo requests without privileges, as most systems have them.
    with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as f:
        f.write(f"{os.getegid()} {os.getegid()}")


def put_files(directory):
    """Our own files in place of the machine's, in this mount namespace."""
    files = {"resolv.conf": f"nameserver {NAMESERVER}\n", "hosts": "127.0.0.1 localhost\n", "nsswitch.conf": "hosts: files dns\n"}
    for name, text in files.items():
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(path, 0o644)
        subprocess.run(["mount", "--bind", path, f"/etc/{name}"], check=True)


def obey(world, directory, request):
    kind = request.pop("op")
    with world.lock:
        if kind == "name":
            name = request["name"].lower()
            world.names.pop(name, None)
            if request["records"]:
                world.names[name] = request["records"]
            (world.truncated.add if request["truncate"] else world.truncated.discard)(name)
        elif kind == "file":
            # Written in place: the file is mounted.
            with open(os.path.join(directory, request["name"]), "w", encoding="ascii") as f:
                f.write(request["text"])
        elif kind in ("queries", "connections"):
            taken = getattr(world, kind)
            setattr(world, kind, type(taken)())
            return taken
        elif kind not in ("ready", "serve"):
            raise ValueError(kind)
    if kind == "serve":
        serve(world, **request)
    return None


def main():
    directory = sys.argv[1]
    configure_loopback()
    put_files(directory)
    world = World()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((NAMESERVER, 53))
    start(serve_names_udp, world, names)
    serve(world, NAMESERVER, 53, "names")
    for line in sys.stdin:
        try:
            answer = {"result": obey(world, directory, json.loads(line))}
        except Exception as error:  # pylint: disable=broad-except
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
