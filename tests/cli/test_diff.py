"""profile diff: classes, words, JSON, statuses."""

import json

import pytest


def diff(box, a, b, *options):
    return box.tool("profile", "diff", *options, box.file("a.toml", "version = 2\n" + a), box.file("b.toml", "version = 2\n" + b))


def fs(**keys):
    return "[filesystem]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in keys.items())


@pytest.mark.parametrize(
    "a, b, lines",
    [
        (fs(read=["/a"]), fs(read=["/a", "/a/b"]), []),
        (fs(read=["/a"], list=["/a"]), fs(read=["/a"]), []),
        (fs(read=["/a"]), fs(read=["/a", "/home/u/.ssh"]), ["widened: filesystem.read: /home/u/.ssh"]),
        (fs(read=["/a"]), fs(list=["/a"]), ["narrowed: filesystem.read: /a"]),
        (fs(read=["/lib/libz.so.1.2"]), fs(read=["/lib/libz.so.1.3.1"]), ["moved: filesystem.read: /lib/libz.so.1.2 -> /lib/libz.so.1.3.1"]),
        (fs(exec=["/bin/sh"]), fs(exec=["/usr/bin/sh"]), ["moved: filesystem.exec: /bin/sh -> /usr/bin/sh"]),
        (fs(read=["/proc/1"]), fs(read=["/etc/2"]), ["widened: filesystem.read: /etc/2", "narrowed: filesystem.read: /proc/1"]),
        (fs(deny=["/a"]), "", ["widened: filesystem.deny: /a"]),
        ("", fs(deny=["/a"]), ["narrowed: filesystem.deny: /a"]),
        ("[limits]\nprocesses = 5\n", "[limits]\nprocesses = 6\n", ["widened: limits.processes: 5 -> 6"]),
        ("[limits]\nprocesses = 5\n", "", ["widened: limits.processes: 5"]),
        ("", "[syscalls]\nallow = [\"read\"]\n", ["narrowed: syscalls.allow: a list"]),
        ("", '[network]\ndeny = ["10.0.0.0/8"]\n', ["widened: network.allow: all but what is denied"]),
        ("[program]\nexec = '/a'\n", "[program]\nexec = '/b'\n", []),
    ],
)  # fmt: skip
def test_P3_classes(box, a, b, lines):
    result = diff(box, a, b)
    assert (result.status, result.stdout.splitlines(), result.messages) == (int(bool(lines)), lines, []), result.describe()


def test_P3_gate_counts_what_is_new(box):
    wide, narrow, moved = fs(read=["/a", "/b"]), fs(read=["/a"]), fs(read=["/a", "/c/b"])
    assert diff(box, narrow, wide, "--widened").status == 1
    assert (lambda r: (r.status, r.stdout))(diff(box, wide, narrow, "--widened")) == (0, "")
    assert diff(box, wide, narrow).status == 1
    assert diff(box, wide, moved, "--widened").status == 1


def test_P3_json(box):
    result = diff(box, fs(read=["/a"]), fs(read=['/"\n\u00e9']), "--json")
    assert result.status == 1 and json.loads(result.stdout) == [
        {"change": "widened", "key": "filesystem.read", "after": '/"\n\u00e9'},
        {"change": "narrowed", "key": "filesystem.read", "before": "/a"},
    ]
    result = diff(box, "", "", "--json")
    assert (result.status, json.loads(result.stdout)) == (0, [])


def test_P3_versions_are_compared_by_their_rights(box):
    one = box.file("one.toml", '[filesystem]\nread = ["/a"]\n')
    two = box.file("two.toml", "version = 2\n" + fs(read=["/a"], exec=["/a"]))
    assert box.tool("profile", "diff", one, two).status == 0


def test_P3_errors_are_125(box):
    result = box.tool("profile", "diff", box.file("a.toml", "version = 2\n"), "./missing.toml")
    assert result.status == 125 and result.stdout == "" and len(result.messages) == 1, result.describe()
    assert box.tool("profile", "diff", box.file("a.toml", "version = 2\n")).status == 2
