#include <stdint.h>
#include <stdio.h>
#include <zeroipc.h>

int main(void) {
    zeroipc_memory* memory;
    zeroipc_array* counts;
    if (zeroipc_memory_open_or_create("/zeroipc-c-example-array", 1 << 16, NULL, &memory) != ZEROIPC_OK ||
        zeroipc_array_create(memory, "counts", 140, sizeof(uint64_t), &counts) != ZEROIPC_OK) {
        fprintf(stderr, "%s\n", zeroipc_detail());
        return 1;
    }
    uint64_t const one = 1;
    for (int i = 0; i < 42; ++i)
        zeroipc_array_fetch_add(counts, 7, &one, NULL); /* any process may, at the same time */
    uint64_t sum = 0;
    zeroipc_array_load(counts, 7, &sum);
    printf("%llu of %llu\n", (unsigned long long)sum, (unsigned long long)zeroipc_array_capacity(counts));
    zeroipc_array_close(counts);
    zeroipc_memory_close(memory);
    zeroipc_memory_remove("/zeroipc-c-example-array");
    return 0;
}
