"""What one process does to its sockets while the supervisor acts on them holds up no other process's calls."""

import attacks
import pytest

NETWORK = '[network]\nallow = ["tcp://127.0.0.1"]\nallow_bind = [0]\n'
ATTEMPTS = ("flags", "linger")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "net-stall")


def test_N8_changing_a_socket_meanwhile_delays_nobody(sandlock, program, tmp_path):
    granted = attacks.profile(tmp_path / "p.toml", exec=[program], extra=NETWORK)
    confined = attacks.confined(sandlock, granted, [program], timeout=120)
    attacks.compare(confined, dict.fromkeys(ATTEMPTS, "SUCCEEDED"))
