"""ZeroIPC: data structures in shared memory, for processes on one machine, in C++, C and Python.

    memory = Memory("/name", size=1 << 20)
    queue = Queue(memory, "numbers", 1024, dtype=np.int32)   # another process: Queue(memory, "numbers", dtype=np.int32)
    queue.push(42)
    queue.pop()
"""

from .errors import *  # noqa: F401,F403
from .array import Array
from .map import Map, Outcome
from .memory import Entry, Memory
from .queue import Queue
from .stack import Stack

__version__ = "0.1.0"
