#include <stdio.h>
#include <zeroipc.h>

static void one_more(void* context, void* value) {
    (void)context;
    ++*(int*)value;
}

int main(void) {
    zeroipc_memory* memory;
    zeroipc_map* stock;
    if (zeroipc_memory_open_or_create("/zeroipc-c-example-map", 1 << 20, NULL, &memory) != ZEROIPC_OK ||
        zeroipc_map_create(memory, "stock", 100, 16, sizeof(int), NULL, &stock) != ZEROIPC_OK) {
        fprintf(stderr, "%s\n", zeroipc_detail());
        return 1;
    }
    char const apples[16] = "apples"; /* keys are so many bytes, the rest zeros */
    int count = 7;
    zeroipc_map_insert(stock, apples, &count);
    zeroipc_map_update(stock, apples, one_more, NULL);
    if (zeroipc_map_find(stock, apples, &count) == ZEROIPC_OK) printf("%s: %d\n", apples, count);
    zeroipc_map_close(stock);
    zeroipc_memory_close(memory);
    zeroipc_memory_remove("/zeroipc-c-example-map");
    return 0;
}
