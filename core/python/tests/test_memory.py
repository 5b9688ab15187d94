"""Segments and their table: made, opened, refused, and used by several processes at once."""

import errno
import os
import time

import pytest
import zeroipc
from conftest import contents, fork, in_child, place
from zeroipc import Array, Memory, errors


@pytest.mark.fast
def test_open_or_create(name):
    with pytest.raises(errors.NotFound):
        Memory(name)
    with Memory(name, size=4096) as one, Memory(name, size=99999) as two, Memory.open(name) as three:
        assert one.size == two.size == three.size == 4096
        assert one.max_entries == 64
        assert one.free_bytes == 4096 - 2624
        with pytest.raises(errors.Exists):
            Memory.create(name, 4096)
        Array(one, "data", 3, dtype="u1")
        assert [entry.name for entry in two] == ["data"] and "data" in three and "other" not in three
    with pytest.raises(errors.Misuse):
        one.entries()
    assert os.stat("/dev/shm" + name).st_mode & 0o777 == 0o600
    assert Memory.unlink(name) and not Memory.unlink(name)


@pytest.mark.fast
@pytest.mark.parametrize("bad", ["", "/", "a/b", "/.", "/..", "a b", "a\x7f", "x" * 255])
def test_names_of_segments(bad):
    with pytest.raises(errors.InvalidName):
        Memory(bad, size=4096)


@pytest.mark.fast
@pytest.mark.parametrize("bad", ["", "x" * 32, "tab\t", "\x7f", "ä" * 16])
def test_names_of_structures(memory, bad):
    with pytest.raises(errors.InvalidName):
        Array(memory, bad, 1, dtype="u1")


@pytest.mark.fast
def test_impossible_requests(name):
    for size, entries, cause in [
        (1 << 32, 64, errors.TooLarge),
        (100, 64, errors.InvalidArgument),
        (1 << 20, 0, errors.InvalidArgument),
        (1 << 23, 65536, errors.InvalidArgument),
    ]:
        with pytest.raises(cause):
            Memory.create(name, size, max_entries=entries)
    assert not os.path.exists("/dev/shm" + name)


@pytest.mark.fast
def test_without_space_nothing_is_left_behind(name, monkeypatch):
    def refused(fd, size, what):
        raise zeroipc._attachment.system_error(errno.ENOSPC, what)

    monkeypatch.setattr(zeroipc._attachment, "reserve", refused)
    with pytest.raises(errors.NoSpace):
        Memory.create(name, 4096)
    assert not os.path.exists("/dev/shm" + name)


@pytest.mark.fast
def test_table_and_segment_fill_up(name):
    with Memory.create(name, 4096, max_entries=2) as memory:
        with pytest.raises(errors.SegmentFull):
            Array(memory, "large", 4096, dtype="u1")
        Array(memory, "a", 1, dtype="u1")
        Array(memory, "b", 1, dtype="u1")
        with pytest.raises(errors.Exists):
            Array(memory, "a", 1, dtype="u1")
        with pytest.raises(errors.TableFull):
            Array(memory, "c", 1, dtype="u1")


@pytest.mark.fast
@pytest.mark.parametrize(
    "data, cause",
    [
        (b"ZIP", errors.NotASegment),
        (b"GIF89a" + bytes(100), errors.NotASegment),
        (b"ZIPC" + bytes(4), errors.Truncated),
        (b"ZIPC\x02\x00\x02\x00" + bytes(200), errors.VersionMismatch),
        (b"ZIPC\x01\x00\x02\x00" + bytes(80), errors.Truncated),
        (b"ZIPC\x01\x00\x02\x00" + bytes(200), errors.Corrupt),
        (b"ZIPC\x01\x00\x02\x00\x03\x00\x00\x00\x80\x00\x00\x00" + bytes(200), errors.Corrupt),
        (b"ZIPC\x01\x00\x02\x00\x00\x00\x00\x00\xff\xff\x00\x00" + bytes(200), errors.Truncated),
        (b"ZIPc" + bytes(200), errors.NotFound),
        (bytes(16), errors.NotFound),
        (b"", errors.NotFound),
    ],
)
def test_what_is_no_segment_is_refused(name, data, cause):
    place(name, data)
    with pytest.raises(cause):
        Memory(name)
    if cause is errors.NotASegment:  # whoever wants to make one is told the same
        with pytest.raises(cause):
            Memory.create(name, 4096)
        with pytest.raises(cause):
            Memory(name, size=4096)
    if cause is errors.NotFound:  # a maker died: the next one takes over
        with Memory(name, size=4096) as memory:
            assert memory.size == 4096
    else:
        assert contents(name) == data


@pytest.mark.fast
def test_a_dead_makers_draft_is_cleared(name):
    with Memory.create(name, 8192, max_entries=2) as memory:
        at = 16
        path = "/dev/shm" + name
        with open(path, "r+b") as file:  # a draft of 100 bytes, and what its maker had written by its death
            file.seek(at + 32)
            file.write((128).to_bytes(4, "little") + (100).to_bytes(4, "little"))
            file.seek(128)
            file.write(b"x" * 100)
        array = Array(memory, "a", 50, dtype="u1")
        assert not array.view.any()
        with open(path, "r+b") as file:
            file.seek(at + 40 + 32)
            file.write((4).to_bytes(4, "little") + (100).to_bytes(4, "little"))
        with pytest.raises(errors.Corrupt):
            Array(memory, "b", 1, dtype="u1")


@pytest.mark.fast
def test_an_opener_waits_for_a_maker_at_work(name):
    """The maker is stopped in the middle; then it dies, and the next one takes over."""
    stop, go = os.pipe()
    arrived, arrive = os.pipe()

    def maker():
        reserve = zeroipc._attachment.reserve

        def stopping(*arguments):
            os.write(arrive, b"x")
            os.read(stop, 1)
            reserve(*arguments)

        zeroipc._attachment.reserve = stopping
        Memory.create(name, 4096)

    pid = fork(maker)
    os.read(arrived, 1)
    with pytest.raises(errors.Busy):
        Memory(name, patience=0.05)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    with pytest.raises(errors.NotFound):
        Memory(name, patience=5)
    with Memory(name, size=8192) as memory:
        assert memory.size == 8192
    for fd in (stop, go, arrived, arrive):
        os.close(fd)


def _together(count, action):
    """Runs action(i) in so many processes, which begin at the same moment; returns their statuses."""
    begin = time.monotonic() + 0.05

    def at_once(i):
        while time.monotonic() < begin:
            pass
        action(i)

    pids = [fork(lambda i=i: at_once(i)) for i in range(count)]
    return [os.waitpid(pid, 0)[1] for pid in pids]


@pytest.mark.medium
def test_of_several_makers_one_makes(name):
    for _ in range(20):

        def action(_i):
            try:
                Memory.create(name, 4096)
            except errors.Exists:
                os._exit(7)

        assert sorted(_together(4, action)) == [0] + 3 * [7 << 8]
        Memory.unlink(name)


@pytest.mark.medium
def test_processes_add_entries_at_once(name):
    for _ in range(10):
        with Memory.create(name, 1 << 20) as memory:

            def action(i):
                with Memory(name) as mine:
                    for n in range(8):
                        Array(mine, f"{i}-{n}", 10, dtype="u4").view[:] = 100 * i + n

            assert _together(3, action) == [0, 0, 0]
            entries = memory.entries()
            assert sorted(entry.name for entry in entries) == sorted(f"{i}-{n}" for i in range(3) for n in range(8))
            for entry in entries:
                i, n = map(int, entry.name.split("-"))
                assert (Array(memory, entry.name, dtype="u4").view == 100 * i + n).all()
        Memory.unlink(name)


@pytest.mark.fast
def test_a_maker_dies_at_each_step_of_adding(name):
    """Nothing is left behind but a structure that is whole, or room for one."""
    from mortal import dies_before

    with Memory.create(name, 1 << 16) as memory:
        for step in range(1, 30):

            def action():
                with dies_before(step):
                    Array(Memory(name), f"a{step}", 100, dtype="u1")

            status = in_child(action)
            found = memory.find(f"a{step}")
            assert found is None or (found.size == 108 and status in (0, 9))
            Array(memory, f"b{step}", 100, dtype="u1")
            if status == 0:
                break
        assert status == 0 and step > 3
