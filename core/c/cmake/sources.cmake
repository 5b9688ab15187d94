# What the C library is made of, in core/c.
set(zeroipc_c_sources
  src/array.c src/attachment.c src/map.c src/map_blocks.c src/map_open.c src/map_write.c src/memory.c src/platform_linux.c
  src/queue.c src/queue_open.c src/queue_recovery.c src/result.c src/stack.c src/stack_open.c src/structure.c src/table.c src/waiting.c)
