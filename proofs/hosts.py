"""Hosts on one machine: a network namespace for each service, a bridge between them, names in /etc/hosts.

What runs on such a host sees its own ports, processes and mounts, and reaches the others by name, as in a container
of the same stack. Needs Linux, root, and iproute2; nothing outside the bridge can be reached from it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

_PREFIX, _BRIDGE, _NETWORK = "rsp", "rsp-bridge", "10.213.77"
_MOUNT = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 125; shift 2; done; shift; exec "$@"'


def missing() -> str | None:
    """Return what this machine lacks for such hosts, in words; None where it lacks nothing."""
    if os.name != "posix" or os.geteuid() != 0:
        return "needs root, for network namespaces"
    missing_tools = [tool for tool in ("ip", "unshare", "mount") if shutil.which(tool) is None]
    if missing_tools:
        return f"needs {', '.join(missing_tools)} (iproute2, util-linux)"
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return "this machine allows no network namespaces"
    return None


class Hosts:
    """The hosts named at the start; a context, which removes them and all that runs there."""

    def __init__(self, names: Iterable[str]) -> None:
        self.addresses = {name: f"{_NETWORK}.{number}" for number, name in enumerate(names, 10)}
        self._made_folders: list[Path] = []

    def __enter__(self) -> Hosts:
        self._remove()
        _ip("link", "add", _BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{_NETWORK}.1/24", "dev", _BRIDGE)
        _ip("link", "set", _BRIDGE, "up")
        for number, (name, address) in enumerate(self.addresses.items()):
            self._add(number, name, address)
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()
        for folder in reversed(self._made_folders):
            folder.rmdir()

    def _add(self, number: int, name: str, address: str) -> None:
        space, outside, inside = f"{_PREFIX}-{name}", f"{_PREFIX}{number}", f"{_PREFIX}{number}i"
        addresses = {"localhost": "127.0.0.1", **self.addresses}
        lines = [f"{host_address} {host}\n" for host, host_address in addresses.items()]
        etc = Path("/etc/netns") / space
        etc.mkdir(parents=True)
        (etc / "hosts").write_text("".join(lines), encoding="utf-8")
        _ip("netns", "add", space)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", outside, "master", _BRIDGE, "up")
        _ip("link", "set", inside, "netns", space)
        _ip("-n", space, "link", "set", "lo", "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", inside)
        _ip("-n", space, "link", "set", inside, "up")

    def _remove(self) -> None:
        for name in self.addresses:
            subprocess.run(["ip", "netns", "del", f"{_PREFIX}-{name}"], capture_output=True, check=False)
            shutil.rmtree(Path("/etc/netns") / f"{_PREFIX}-{name}", ignore_errors=True)
        subprocess.run(["ip", "link", "del", _BRIDGE], capture_output=True, check=False)

    def command(self, name: str, mounts: Mapping[Path, str], command: Iterable[str]) -> list[str]:
        """Return the line that runs `command` on the host `name`, with folders and files mounted at paths of its own.

        Its process group's end is the end of everything that it started there.
        """
        binds = []
        for source, target in mounts.items():
            self._mount_point(Path(target), source.is_dir())
            binds += [str(source), target]
        space = ["ip", "netns", "exec", f"{_PREFIX}-{name}"]
        isolated = ["unshare", "--mount", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child"]
        return [*space, *isolated, "sh", "-c", f"hostname {name} && {_MOUNT}", "sh", *binds, "--", *command]

    def _mount_point(self, target: Path, folder: bool) -> None:
        """Make an empty folder to mount on; what is made here goes again at the end."""
        leaf = target if folder else target.parent
        for path in [*reversed(leaf.parents), leaf]:
            if not path.exists():
                path.mkdir()
                self._made_folders.append(path)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
