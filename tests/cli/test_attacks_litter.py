"""The private temporary directory is removed whatever is in it, and nothing else is."""

import pathlib
import signal
import subprocess

import attacks
import pytest


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return attacks.attack(tmp_path_factory, "litter")


@pytest.mark.parametrize("by", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_L21_R2_the_private_directory_goes_with_the_tool(sandlock, program, tmp_path, by):
    outside = tmp_path / "outside"
    (outside / "directory").mkdir(parents=True)
    (outside / "file").write_text("content\n")
    granted = attacks.profile(tmp_path / "p.toml", extra='tmp = "private"\n', exec=[program])
    # Deeper than descriptors could be held open.
    command = ["/usr/bin/prlimit", "--nofile=64", sandlock, "run", "-p", granted, "--", program, "200", outside]
    with attacks.running(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as tool:
        name, _, top = tool.stdout.readline().rstrip("\n").partition(": ")
        assert name == "directory" and tool.stdout.readline() == "ready\n"
        directory = pathlib.Path(top)
        assert directory.is_dir() and (directory / "to-root").is_symlink()
        tool.send_signal(getattr(signal, by))
        tool.wait(timeout=60)
        attacks.wait_until(lambda: not directory.exists(), timeout_s=60)
    assert (outside / "file").read_text() == "content\n" and (outside / "directory").is_dir()
