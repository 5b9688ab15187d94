#!/usr/bin/env python3
"""zeroipc-bench across NUMA nodes, in an emulated machine: pins and pages must be where they were asked for.

See bench/docs/numa.md. Exit status: 0 as it should be, 1 not so, 77 skipped: the machine lacks something.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List

import emulator
import judge
from emulator import Machine, Node

HERE = Path(__file__).resolve().parent
SKIPPED = 77
LIMIT_S = 500  # of one boot; on a machine that has time for it, half a minute

# A ring of four: neighbours are nearer than those opposite.
FOUR_NODES = Machine(tuple(Node((2 * n, 2 * n + 1), 192) for n in range(4)),
                     {(0, 1): 20, (1, 2): 20, (2, 3): 20, (0, 3): 20, (0, 2): 30, (1, 3): 30})
# Node 2 has no memory, and node 3 is the nearest to it that has.
EMPTY_NODE = Machine((Node((0, 1), 256), Node((2, 3), 256), Node((4, 5), 0), Node((6, 7), 256)),
                     {(0, 1): 20, (1, 2): 30, (2, 3): 15, (0, 3): 30, (0, 2): 30, (1, 3): 30})

# Emulation is slow: few and short windows, and a watchdog of minutes. A throughput cell's is long enough to make
# progress even where the emulator itself must wait for a CPU; fetch_add always makes some.
COMMON = "--rounds 1 --watchdog 120 --seed 1"
ONE = f"{COMMON} --mode throughput --window 5 --benchmark_filter=fetch_add"
FOUR = f"{COMMON} --mode throughput --window 200 --benchmark_filter='fetch_add|queue' --producers 2 --consumers 2"

# Arguments of runs that must succeed. Each node is some segment's home.
GOOD = {
    "scatter-1-1": f"{COMMON} --window 200 --placement scatter",
    "scatter-2-2": f"{FOUR} --placement scatter",
    "listed-2-2": f"{FOUR} --cpus 5,7,0,3",
    "home-1": f"{ONE} --cpus 3,6",
    "home-3": f"{ONE} --cpus 7,1",
}
# What stands before zeroipc-bench --cpus 2,4, so that something does not do what it was asked, and what the record must
# say then. An unbound page comes from node 3: see init.sh.
PRELOAD = "env LD_PRELOAD=/lib/wrong_bind.so ZEROIPC_WRONG_BIND"
WRONG = {
    "bound-elsewhere": (f"{PRELOAD}=mbind", "pages lie on node 1"),
    "not-bound": (f"{PRELOAD}=nothing", "pages lie on node 1"),
    "bind-refused": (f"{PRELOAD}=refused", "node 1: mbind: Operation not permitted"),
    "node-forbidden": ("in_cpuset 0", "node 1: no such node, or it has no memory that we may use"),
    "pinned-elsewhere": (f"{PRELOAD}=pin", "not verified: the affinity is"),
}
ALWAYS_FATAL = "pinned-elsewhere"  # the others are only flagged with --lenient-placement


def four_nodes_script() -> str:
    lines = ["run pinning_test bench_pinning_test"]
    lines += [f"bench {name} zeroipc-bench {arguments}" for name, arguments in GOOD.items()]
    for name, (command, _) in WRONG.items():
        for suffix, option in (("", ""), ("-lenient", " --lenient-placement")):
            lines.append(f"bench {name}{suffix} {command} zeroipc-bench {ONE} --cpus 2,4{option}")
    return "\n".join(lines) + "\n"


EMPTY_NODE_SCRIPT = f"""run pinning_test bench_pinning_test
bench home-without-memory zeroipc-bench {ONE} --cpus 4,0
"""


# --- what came back ---------------------------------------------------------------------------------------------------

def cpus_of(text: str) -> List[int]:
    """The CPUs of the kernel's "0-1,4"."""
    cpus: List[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def nodes_of(out: Path) -> Dict[int, int]:
    """The node of each CPU, as the emulated machine's kernel listed them."""
    return {cpu: int(folder.name[len("node"):])
            for folder in (out / "nodes").iterdir() for cpu in cpus_of((folder / "cpulist").read_text())}


class Report:
    """Complaints about one boot, printed as they come."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.complaints = 0

    def check(self, fine: bool, what: str) -> None:
        if not fine:
            self.complaints += 1
            print(f"WRONG: {what}", flush=True)

    def run(self, name: str, status: int) -> List[Dict[str, Any]]:
        """The records of a run that had to end with this status."""
        status_file, records = self.out / f"{name}.status", self.out / name / "records.jsonl"
        if not status_file.exists():
            self.check(False, f"{name} was not run")
            return []
        is_, log = status_file.read_text().strip(), (self.out / f"{name}.log").read_text(errors="replace")
        self.check(is_ == str(status), f"{name} ended with status {is_}, not {status}; it said:\n{log[-2000:]}")
        found = [json.loads(line) for line in records.read_text().splitlines()] if records.exists() else []
        self.check(bool(found) or name == "pinning_test", f"{name} left no record")
        return found


def judge_four_nodes(out: Path) -> int:
    report = Report(out)
    node_of = nodes_of(out)
    report.check(node_of == {cpu: cpu // 2 for cpu in range(8)}, f"the kernel sees other nodes: {node_of}")
    report.check("mpol=bind:3" in (out / "mounts").read_text(), "/dev/shm was not mounted with mpol=bind:3")
    report.run("pinning_test", 0)
    homes = set()
    for name in GOOD:
        for record in report.run(name, 0):
            for complaint in judge.complaints(record, node_of):
                report.check(False, f"{name}: {complaint}")
            homes.add(record["memory"]["node_asked"])
        if not (out / name / "environment.json").exists():
            continue  # and left no record, which was said
        cpu = json.loads((out / name / "environment.json").read_text())["cpu"]
        report.check((cpu["numa_nodes"], cpu["logical"]) == (4, 8), f"{name}: environment.json says {cpu}")
        xml = (out / name / "topology.xml").read_text()
        report.check(xml.count('<object type="NUMANode"') == 4, f"{name}: topology.xml does not have four nodes")
    report.check(homes == {0, 1, 2, 3}, f"the homes of segments were only {homes}")
    for name, (_, says) in WRONG.items():
        for record in report.run(name, 1):
            report.check(record["status"] == "failed" and says in record["error"],
                         f"{name}: the record has status {record['status']}, error {record['error']!r}")
            report.check(bool(judge.complaints(record, node_of)), f"{name}: the judge has no complaint")
        lenient = f"{name}-lenient"
        fatal = name == ALWAYS_FATAL
        for record in report.run(lenient, 1 if fatal else 0):
            memory = record["memory"]
            report.check(record["status"] == ("failed" if fatal else "ok"), f"{lenient}: status {record['status']}")
            report.check(fatal or "memory_elsewhere" in record["flags"], f"{lenient}: flags {record['flags']}")
            obtained = (memory["node_asked"], memory["pages_on_node"], memory["policy"])
            wanted = [(1, 0, "unknown")]
            if name == "node-forbidden":  # /dev/shm's own node is forbidden, too: some kernels say that there is no policy
                wanted.append((1, 0, "default"))
            report.check(fatal or obtained in wanted, f"{lenient}: memory {memory}")
    return report.complaints


def judge_empty_node(out: Path) -> int:
    report = Report(out)
    node_of = nodes_of(out)
    report.check(node_of.get(4) == 2, f"the kernel sees other nodes: {node_of}")
    report.run("pinning_test", 0)
    memory_of = {cpu: 3 if node == 2 else node for cpu, node in node_of.items()}
    for record in report.run("home-without-memory", 0):
        for complaint in judge.complaints(record, memory_of):
            report.check(False, f"home-without-memory: {complaint}")
    return report.complaints


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--self-check", action="store_true", help="only check the judge, which takes no time")
    parser.add_argument("--bench", type=Path, help="zeroipc-bench")
    parser.add_argument("--pinning-test", type=Path, help="the unit tests of pinning, to be run there too")
    parser.add_argument("--wrong-bind", type=Path, help="the library that binds and pins wrongly")
    parser.add_argument("--work", type=Path, help="folder for the kernel, and for what comes back")
    a = parser.parse_args()
    faults = judge.self_check()
    for fault in faults:
        print(f"WRONG: the judge {fault}")
    if a.self_check or faults:
        return 1 if faults else 0
    a.work.mkdir(parents=True, exist_ok=True)
    try:
        emulator.require_tools()
        kernel = emulator.find_kernel(a.work)
        busybox = emulator.find_busybox(a.work)
    except emulator.Missing as missing:
        print(f"skipped: {missing}")
        return SKIPPED
    files = {"bin/busybox": busybox, "bin/zeroipc-bench": a.bench, "bin/bench_pinning_test": a.pinning_test,
             "lib/wrong_bind.so": a.wrong_bind}
    complaints = 0
    for name, machine, script, verdict in (
            ("four-nodes", FOUR_NODES, four_nodes_script(), judge_four_nodes),
            ("empty-node", EMPTY_NODE, EMPTY_NODE_SCRIPT, judge_empty_node)):
        print(f"booting {name} with {kernel.name}", flush=True)
        out = a.work / name
        initramfs = emulator.pack(files, {"init": (HERE / "init.sh").read_text(), "runs.sh": script})
        try:
            emulator.boot(machine, kernel, initramfs, out, LIMIT_S)
        except RuntimeError as wrong:
            print(f"WRONG: {wrong}")
            return 1
        complaints += verdict(out)
    print(f"{complaints} complaints; what came back lies in {a.work}")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
