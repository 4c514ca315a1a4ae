"""Socket options reach nobody whom no rule grants: no group is joined, no packet goes by way of somebody."""

import os
import subprocess
import sys

import attacks
import pytest

GROUPS = '[network]\nallow = ["udp://239.77.0.1", "udp://[ff02::77:1]:7000"]\n'
JOINS = (
    "join", "join-on-six", "join-rubbish", "join-short", "join-ssm", "join-6", "join-any", "join-any-6", "join-source", "join-source-6",
    "join-race", "join-stream", "join-stream-6",
)  # fmt: skip
ROUTES = ("flow-label", "routing-header", "source-route")
GRANTED = ("granted", "granted-6", "granted-any")
UNSHARE = ["unshare", "-n" if os.geteuid() == 0 else "-Urn"]
CAN_UNSHARE = subprocess.run([*UNSHARE, "true"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "net-doors")


def test_N6_N7_no_option_reaches_whom_no_rule_grants(sandlock, program, tmp_path):
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra=GROUPS)
    confined = attacks.confined(sandlock, granted, [program])
    expected = dict.fromkeys(JOINS, "EACCES") | dict.fromkeys(ROUTES, "EPERM") | dict.fromkeys(GRANTED, "SUCCEEDED")
    attacks.compare(confined, expected)
    bare = attacks.call([program])
    attacks.compare({name: bare[name] for name in GRANTED}, dict.fromkeys(GRANTED, "SUCCEEDED"))
    # A source route takes a privilege.
    attacks.proves(bare, confined, () if os.geteuid() == 0 else ("source-route",))


def test_N6_a_group_is_joined_only_where_datagrams_are_granted(sandlock, program, tmp_path):
    """A rule that names a host switches datagram sockets on, for look-ups, and grants no group."""
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra='[network]\nallow = ["tcp://localhost:80"]\n')
    confined = attacks.confined(sandlock, granted, [program])
    attacks.compare({name: confined[name] for name in (*JOINS, *GRANTED)}, dict.fromkeys((*JOINS, *GRANTED), "EACCES"))


@pytest.mark.parametrize("network", ("", '[network]\nallow = ["tcp://*:80"]\n'))
def test_N6_no_group_without_datagrams(sandlock, program, tmp_path, network):
    """Sockets of TCP can be made where nothing is listed, and could join."""
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra=network)
    confined = attacks.confined(sandlock, granted, [program, "stream"])
    attacks.compare(confined, dict.fromkeys(("join-stream", "join-stream-6"), "EACCES"))


# Opens the socket as an outsider in a network of its own, and hands it on.
OPEN = """
import os, socket, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
s.set_inheritable(True)
os.execv(sys.argv[1], [*sys.argv[1:], str(s.fileno())])
"""


def test_R6_a_netlink_socket_from_outside_has_no_rights_of_the_tool(sandlock, program, tmp_path):
    """The kernel asks for the rights of who opened the socket and of who sends; for one that is done on behalf that is the tool."""
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra='[network]\nallow = ["udp://127.0.0.1:9"]\n')
    if not CAN_UNSHARE:
        pytest.skip("this user gets no user namespace here, and without one no netlink socket of a privileged owner")
    opened = [*UNSHARE, sys.executable, "-c", OPEN]
    command = [sandlock, "run", "-p", granted, "--", program, "netlink"]
    assert attacks.call([*opened, *command]) == {"netlink": "EPERM"}
    assert attacks.call([*opened, program, "netlink"]) == {"netlink": "SUCCEEDED"}
