"""The invariants of a linked stack, on a private copy (core/format/stack.md)."""

from __future__ import annotations

from typing import Dict, Set

from .._treiber import TreiberStack
from .._treiber_nodes import GIVE_BACK, HALF, NONE, NOTHING, POP, PUSH, REFILL
from .rules import Findings
from .snapshot import Snapshot


class StackCheck:
    """One look at one stack."""

    def __init__(self, copy: Snapshot, findings: Findings) -> None:
        self.copy, self.findings = copy, findings
        self.stack = TreiberStack(copy.mapping, copy.place, 0, settled=False)
        self.owner: Dict[int, str] = {}  # of each node

    def run(self, is_of_one_moment: bool) -> None:
        """Copies that are not of one moment show only what is wrong at every moment."""
        stack, fault = self.stack, self.findings.fault
        for name, at, most in (("top", stack.top, stack.count), ("free list", stack.free, stack.count)):
            value = stack.words.load(at)
            first, author = value & stack.first_mask, value >> stack.node_bits & stack.author_mask
            if first > most:
                fault("stack.list", f"the {name} names node {first} of {most}")
            if author > stack.handle_slots:
                fault("stack.list", f"the {name} was put there by handle slot {author - 1} of {stack.handle_slots}")
        if is_of_one_moment:
            self._walk_top()
            self._walk_free()
        self._slots(is_of_one_moment)
        if is_of_one_moment:
            lost = [node for node in range(1, stack.count + 1) if node not in self.owner]
            # What is wrong with a list or slot hides nodes: then it is not known who has these.
            if lost and not self.findings.found:
                fault("stack.owner", f"node {lost[0]} is in no list and no handle's hands" + _more(len(lost) - 1))

    def _take(self, node: int, who: str) -> bool:
        if node in self.owner:
            self.findings.fault("stack.owner", f"node {node} is {who}, and {self.owner[node]}")
            return False
        self.owner[node] = who
        return True

    def _walk_top(self) -> None:
        stack, fault = self.stack, self.findings.fault
        node = stack.words.load(stack.top) & stack.first_mask
        expected = stack.depth(node)
        if node and node <= stack.count and expected > stack.capacity:
            fault("stack.depth", f"the top has depth {expected}, of a capacity of {stack.capacity}")
        seen: Set[int] = set()
        while 0 < node <= stack.count:
            if node in seen:
                return fault("stack.link", f"the links below the top lead back to node {node}")
            seen.add(node)
            self._take(node, "in the stack")
            word = stack.words.load(stack.node(node))
            if word >> 32 != expected:
                fault("stack.depth", f"node {node} has depth {word >> 32}, where the one above it gives {expected}")
            below = word & HALF
            if below > stack.count:
                return fault("stack.link", f"node {node} is over node {below} of {stack.count}")
            if below == 0 and word >> 32 != 1:
                fault("stack.depth", f"node {node} is the lowest, and has depth {word >> 32}")
            node, expected = below, (word >> 32) - 1
        return None

    def _walk_free(self) -> None:
        stack, fault = self.stack, self.findings.fault
        node = stack.free_node(stack.words.load(stack.free))
        seen: Set[int] = set()
        while node:
            if node in seen:
                return fault("stack.link", f"the free list leads back to node {node}")
            seen.add(node)
            self._take(node, "in the free list")
            following = stack.next_free(node)
            if following == NONE:
                return fault("stack.link", f"node {node} of the free list leads to a node that does not exist")
            node = following
        return None

    def _slots(self, is_of_one_moment: bool) -> None:
        for slot in range(self.stack.handle_slots):
            # The classes of the library see a stack through one slot each.
            one = TreiberStack(self.copy.mapping, self.copy.place, slot, settled=False)
            doing, first, second = one.unpack(one.words.load(one.state_at))
            expected = one.words.load(one.expected_at)
            gain = one._first_of(doing, expected)
            if doing > GIVE_BACK:
                self.findings.fault("stack.slot", f"handle slot {slot} does {doing}, which nobody does")
            elif max(first, second, gain) > one.count:
                self.findings.fault("stack.slot", f"handle slot {slot} names node {max(first, second, gain)} of {one.count}")
            elif is_of_one_moment:
                if doing != NOTHING and one.happened(one.top if doing in (PUSH, POP) else one.free, expected):
                    # What a commit that took effect changed about what is in hand.
                    first = {PUSH: 0, POP: first, REFILL: gain, GIVE_BACK: first}[doing]
                    second = {PUSH: second, POP: gain, REFILL: second, GIVE_BACK: 0}[doing]
                for node in (first, second):
                    if node:
                        self._take(node, f"in the hands of handle slot {slot}")


def _more(count: int) -> str:
    return f", and {count} more" if count else ""


def check_array_stack(top: int, capacity: int, findings: Findings) -> None:
    """A stack that is an array: its top counts the items."""
    if top > capacity:
        findings.fault("stack.top", f"{top} items, of a capacity of {capacity}")


