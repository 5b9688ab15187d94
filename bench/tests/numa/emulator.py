"""Boots a small Linux in qemu's software emulation of a machine with several NUMA nodes, and brings back what it wrote.

Nothing is installed: the kernel and busybox come from this machine, or from Debian packages unpacked in a work folder.
"""

from __future__ import annotations

import base64
import gzip
import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

QEMU = "qemu-system-x86_64"
KERNEL_PACKAGE = "linux-image-cloud-amd64"
KERNEL_NEEDS = ("NUMA", "ACPI_NUMA", "TMPFS", "CPUSETS", "DEVTMPFS", "RD_GZIP", "SERIAL_8250_CONSOLE")


class Missing(Exception):
    """What this machine lacks; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A NUMA node: the first and the last of its CPUs, and its memory (0: none)."""

    cpus: Tuple[int, int]
    mib: int


@dataclass(frozen=True)
class Machine:
    nodes: Tuple[Node, ...]
    distances: Dict[Tuple[int, int], int]  # between different nodes, the smaller number first

    def arguments(self) -> List[str]:
        """qemu's: a socket a node, and one hardware thread a core."""
        cpus = 1 + max(node.cpus[1] for node in self.nodes)
        sockets = len(self.nodes)
        arguments = ["-smp", f"{cpus},sockets={sockets},cores={cpus // sockets},threads=1",
                     "-m", f"{sum(node.mib for node in self.nodes)}M"]
        for number, node in enumerate(self.nodes):
            memory = ""
            if node.mib > 0:
                arguments += ["-object", f"memory-backend-ram,id=memory{number},size={node.mib}M"]
                memory = f",memdev=memory{number}"
            arguments += ["-numa", f"node,nodeid={number},cpus={node.cpus[0]}-{node.cpus[1]}{memory}"]
        for (one, other), distance in self.distances.items():
            arguments += ["-numa", f"dist,src={one},dst={other},val={distance}"]
        return arguments


# --- what it takes ------------------------------------------------------------------------------------------------

def require_tools() -> None:
    if platform.machine() != "x86_64":
        raise Missing(f"the emulated machine is x86-64, and the programs are built for {platform.machine()}")
    for tool, package in ((QEMU, "qemu-system-x86"), ("setpriv", "util-linux"), ("ldd", "libc-bin")):
        if shutil.which(tool) is None:
            raise Missing(f"no {tool} on the PATH: apt-get install {package}")


def _apt(command: List[str], work: Path) -> str:
    """What a command of apt prints; as root the lists are fetched first where it fails, as on a fresh Debian.

    :raises Missing: with the command to type, where it fails all the same.
    """
    for tool in (command[0], "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Missing(f"no {tool} for `{' '.join(command)}`: use Debian 12, or have a kernel in /boot and busybox")
    for attempt in range(2):
        done = subprocess.run(command, cwd=work, env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode == 0 and done.stdout:
            return done.stdout
        if attempt > 0 or os.geteuid() != 0:
            break
        subprocess.run(["apt-get", "-q", "update"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    raise Missing(f"`{' '.join(command)}` fails ({done.stderr.strip()[-200:]}): apt-get update, and try again")


def _downloaded(package: str, work: Path) -> Path:
    """The folder in which a Debian package is unpacked; fetched once."""
    folder = work / package
    if not folder.is_dir():
        _apt(["apt-get", "download", package], work)
        file = next(work.glob(f"{package}_*.deb"))
        draft = work / f"{package}.part"
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", str(file), str(draft)], check=True)
        draft.rename(folder)
        file.unlink()
    return folder


def _usable_kernel(boot: Path) -> Optional[Path]:
    """The last kernel of a /boot that can be read and was built with all that is needed."""
    for kernel in sorted(boot.glob("vmlinuz-*"), reverse=True):
        config = kernel.with_name(kernel.name.replace("vmlinuz", "config", 1))
        if not os.access(kernel, os.R_OK) or not os.access(config, os.R_OK):
            continue
        lines = set(config.read_text().splitlines())
        if all(f"CONFIG_{need}=y" in lines for need in KERNEL_NEEDS):
            return kernel
    return None


def find_kernel(work: Path) -> Path:
    """One of /boot, one that an earlier call fetched, or that of Debian's package for virtual machines."""
    for boot in (Path("/boot"), *sorted(work.glob("linux-image-*/boot"), reverse=True)):
        kernel = _usable_kernel(boot)
        if kernel is not None:
            return kernel
    # That package only depends on the kernel of the day.
    depends = re.search(r"Depends: (linux-image-\S+)", _apt(["apt-cache", "depends", KERNEL_PACKAGE], work))
    kernel = _usable_kernel(_downloaded(depends.group(1), work) / "boot") if depends else None
    if kernel is None:
        raise Missing(f"{KERNEL_PACKAGE} brings no kernel with {', '.join(KERNEL_NEEDS)}: use Debian 12")
    return kernel


def find_busybox(work: Path) -> Path:
    installed = Path("/bin/busybox")
    if installed.is_file() and "not a dynamic" in subprocess.run(
            ["ldd", str(installed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout:
        return installed
    return _downloaded("busybox-static", work) / "bin" / "busybox"


# --- the machine ---------------------------------------------------------------------------------------------------

def _libraries(program: Path) -> Dict[str, Path]:
    """Where in the guest a program's libraries go, its loader included."""
    listed = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, check=True, text=True).stdout
    if "not found" in listed:
        raise RuntimeError(f"{program} lacks libraries:\n{listed}")
    found = {}
    for path in re.findall(r"(/\S+) \(0x", listed):
        name = Path(path).name
        found[path.lstrip("/") if name.startswith("ld-") else f"lib/{name}"] = Path(path)
    return found


def pack(files: Dict[str, Path], texts: Dict[str, str]) -> bytes:
    """An initramfs: programs by their path in the guest, with their libraries, and texts that may be run."""
    contents = {name: text.encode() for name, text in texts.items()}
    for name, path in files.items():
        contents[name] = path.read_bytes()
        if path.name != "busybox":
            contents.update((place, library.read_bytes()) for place, library in _libraries(path).items())
    folders = sorted({str(parent) for name in contents for parent in Path(name).parents} - {"."})
    archive = io.BytesIO()

    def add(name: str, mode: int, data: bytes) -> None:
        # The "new" format of cpio: thirteen numbers of eight hexadecimal digits; name and data end at multiples of 4.
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        archive.write(b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0")
        archive.write(b"\0" * (-archive.tell() % 4) + data)
        archive.write(b"\0" * (-archive.tell() % 4))

    for folder in folders:
        add(folder, 0o040755, b"")
    for name, data in contents.items():
        add(name, 0o100755, data)
    add("TRAILER!!!", 0, b"")
    return gzip.compress(archive.getvalue(), 1)


def boot(machine: Machine, kernel: Path, initramfs: bytes, folder: Path, limit_s: int) -> None:
    """Runs the machine to its end and unpacks what it sent into a folder, beside what its console said.

    :raises RuntimeError: with the end of the console, if it did not come to its end within limit_s.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    image, console, answer = folder / "initramfs.gz", folder / "console", folder / "answer"
    image.write_bytes(initramfs)
    # setpriv becomes qemu, which then ends with this process, however that ends. One emulating thread serves workers
    # that spin for each other far better than several that must share few CPUs.
    command = ["setpriv", "--pdeathsig", "KILL", QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
               "-display", "none", "-machine", "q35", "-accel", "tcg,thread=single", "-cpu", "max",
               *machine.arguments(), "-kernel", str(kernel), "-initrd", str(image),
               "-append", "console=ttyS0 quiet panic=-1 rdinit=/init",
               "-serial", f"file:{console}", "-serial", f"file:{answer}"]
    said = ""
    try:
        said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=limit_s).stdout
        packed = base64.b64decode(answer.read_bytes())
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            archive.extractall(folder)
    except (OSError, ValueError, EOFError, tarfile.TarError, subprocess.TimeoutExpired) as wrong:
        why = f"was not done after {limit_s} s" if isinstance(wrong, subprocess.TimeoutExpired) else \
            f"sent nothing that can be read ({wrong})"
        last = console.read_text(errors="replace")[-3000:] if console.exists() else ""
        raise RuntimeError(f"the emulated machine {why}; qemu said: {said.strip()}\nits console:\n{last}") from wrong
    image.unlink()
    answer.unlink()
