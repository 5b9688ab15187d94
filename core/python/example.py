import numpy as np
from zeroipc import Memory, Queue

memory = Memory("/zeroipc-example-python", size=1 << 20)
queue = Queue(memory, "numbers", 1024, dtype=np.int32)
# Another process opens it: Queue(memory, "numbers", dtype=np.int32), or in C++ Queue<int> queue(memory, "numbers").
queue.push(42)
print(queue.pop())
Memory.unlink("/zeroipc-example-python")
