"""What a record of a run across NUMA nodes must say, judged by the machine's own list of CPUs."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List

Record = Dict[str, Any]


def complaints(record: Record, node_of: Dict[int, int]) -> List[str]:
    """What is wrong with the record of a good run; `node_of` gives the node of each CPU of the machine."""
    placement, memory, checked = record["placement"], record["memory"], record["verification"] or {}
    asked = placement["cpus_asked"]
    producers, consumers = asked[:record["producers"]], asked[record["producers"]:]
    between = {node_of[cpu] for cpu in producers} & {node_of[cpu] for cpu in consumers}
    wanted = {
        "status": (record["status"], "ok"),
        "error": (record["error"], None),
        "passed": (checked.get("passed"), True),
        "sent and received": (checked.get("sent"), checked.get("received")),
        "sums_equal": (checked.get("sums_equal"), True),
        "workers": (len(asked), record["producers"] + record["consumers"]),
        "cpus_obtained": (placement["cpus_obtained"], [[cpu] for cpu in asked]),
        "verified": (placement["verified"], True),
        "nodes with both producers and consumers": (sorted(between), []),
        "memory.nodes": (memory["nodes"], len(set(node_of.values()))),
        "memory.policy": (memory["policy"], "bind"),
        "memory.node_asked": (memory["node_asked"], node_of[asked[0]]),
        "memory.pages_on_node": (memory["pages_on_node"], memory["pages_checked"]),
        "memory_elsewhere": ("memory_elsewhere" in record["flags"], False),
    }
    found = [f"{what} is {is_!r}, not {should!r}" for what, (is_, should) in wanted.items() if is_ != should]
    if not memory["pages_checked"] or memory["pages_checked"] < 1:
        found.append(f"memory.pages_checked is {memory['pages_checked']!r}")
    if not checked.get("received"):
        found.append("nothing was received")
    return [f"{record['cell']}, round {record['round']}: {complaint}" for complaint in found]


def self_check() -> List[str]:
    """Each way in which a record can be wrong must be noticed, and a good one must pass. Returns what was not so."""
    node_of = {0: 0, 1: 0, 2: 1, 3: 1}
    good: Record = {
        "cell": "made up", "round": 0, "status": "ok", "error": None, "flags": ["start_skew"],
        "producers": 1, "consumers": 1,
        "placement": {"cpus_asked": [2, 1], "cpus_obtained": [[2], [1]], "verified": True},
        "memory": {"nodes": 2, "policy": "bind", "node_asked": 1, "pages_checked": 9, "pages_on_node": 9},
        "verification": {"passed": True, "sent": 7, "received": 7, "sums_equal": True}}
    wrong: Dict[str, Callable[[Record], Any]] = {
        "failed": lambda r: r.update(status="failed"),
        "an error": lambda r: r.update(error="why"),
        "flagged": lambda r: r["flags"].append("memory_elsewhere"),
        "a consumer more": lambda r: r.update(consumers=2),
        "never verified": lambda r: r.update(verification=None),
        "wrongly verified": lambda r: r["verification"].update(passed=False),
        "lost": lambda r: r["verification"].update(received=6),
        "nothing sent": lambda r: r["verification"].update(sent=0, received=0),
        "other sums": lambda r: r["verification"].update(sums_equal=False),
        "another CPU": lambda r: r["placement"].update(cpus_obtained=[[2], [0]]),
        "two CPUs": lambda r: r["placement"].update(cpus_obtained=[[2, 3], [1]]),
        "pins not verified": lambda r: r["placement"].update(verified=False),
        "one node": lambda r: r["placement"].update(cpus_asked=[2, 3], cpus_obtained=[[2], [3]]),
        "a single node": lambda r: r["memory"].update(nodes=1, policy="single_node"),
        "no policy": lambda r: r["memory"].update(policy="unknown"),
        "the consumer's node": lambda r: r["memory"].update(node_asked=0),
        "no node": lambda r: r["memory"].update(node_asked=None),
        "a page elsewhere": lambda r: r["memory"].update(pages_on_node=8),
        "no page": lambda r: r["memory"].update(pages_checked=0, pages_on_node=0),
        "pages unknown": lambda r: r["memory"].update(pages_checked=None, pages_on_node=None),
    }
    found = [f"complains of a good record: {complaint}" for complaint in complaints(good, node_of)]
    for what, spoil in wrong.items():
        record = copy.deepcopy(good)
        spoil(record)
        if not complaints(record, node_of):
            found.append(f"does not notice: {what}")
    return found
