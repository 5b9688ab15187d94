"""Who owns what: after any kill and the next opening, each buffer, node and block has exactly one owner."""

from zeroipc import Map, Queue


def owners(structure):
    """Counts of owners, over every buffer (node, block); only when no operation is in flight. Parked slots own nothing yet."""
    if isinstance(structure, Map):
        table = structure._map
        return _of_map(table)
    return _of_queue(structure._ring) if isinstance(structure, Queue) else _of_stack(structure._ring)


def _of_queue(ring):
    shape, words = ring.shape, ring._words
    counts = [0] * shape.buffers
    for i in range(shape.capacity):
        counts[shape.buffer_of(words.load(shape.cell(i)), i)] += 1
    for slot in range(shape.handle_slots):
        for i, role in enumerate(("out", "in")):
            record = words.load(shape.record(slot, role))
            assert not record & 1, f"slot {slot} is pending"
            counts[record >> 1 ^ shape.first_spare(slot) + i] += 1
    return counts


def _of_stack(ring):
    words = ring.words
    counts = [0] * (ring.count + 1)
    node = words.load(ring.top) & ring.first_mask
    while node:
        counts[node] += 1
        assert counts[node] == 1, "the stack is a ring"
        node = ring.below(node)
    node = ring.free_node(words.load(ring.free))
    while node:
        counts[node] += 1
        assert counts[node] == 1, "a node is in both lists, or the free list is a ring"
        node = ring.next_free(node)
    for slot in range(ring.handle_slots):
        state = words.load(ring.state_at + _line(ring) * (slot + 1 - ring.me))
        doing, first, second = ring.unpack(state)
        assert doing == 0, f"slot {slot} is in the middle of something"
        for node in (first, second):
            counts[node] += node != 0
    return counts[1:]


def _line(ring):
    return 64  # compact


def _of_map(table):
    """A block is in the pool or linked once; nothing is reserved or closing."""
    counts = [0] * table.block_count
    for bucket in range(table.bucket_count):
        header = table.words.load(table.header_at(bucket))
        valid, busy = header & 0x7FFF, header >> 15 & 0x7FFF
        assert valid == busy, f"bucket {bucket} has a slot that is reserved or closing"
        for k in range(2):
            block = table.linked_block(bucket, k)
            if block is not None:
                counts[block] += 1
                assert table.words.load_half(table._owner_at(block)) == 1
    for block in range(table.block_count):
        counts[block] += table.words.load_half(table._owner_at(block)) == 0
    return counts
