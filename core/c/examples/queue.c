#include <stdio.h>
#include <zeroipc.h>

static int failed(char const* what, enum zeroipc_result result) {
    fprintf(stderr, "%s: %s: %s\n", what, zeroipc_message(result), zeroipc_detail());
    return 1;
}

int main(void) {
    zeroipc_memory* memory;
    zeroipc_queue* queue;
    int number = 42;
    enum zeroipc_result result =
        zeroipc_memory_open_or_create("/zeroipc-c-example-queue", 1 << 20, NULL, &memory);
    if (result != ZEROIPC_OK) return failed("segment", result);
    result = zeroipc_queue_create(memory, "numbers", 1024, sizeof number, 0, &queue);
    if (result != ZEROIPC_OK) return failed("queue", result);
    /* Another process opens it: zeroipc_queue_open(memory, "numbers", sizeof number, &queue). */
    zeroipc_queue_push(queue, &number, ZEROIPC_FOREVER);
    number = 0;
    result = zeroipc_queue_pop(queue, &number, 1000000000);
    if (result != ZEROIPC_OK) return failed("pop", result);
    printf("%d\n", number);
    zeroipc_queue_close(queue);
    zeroipc_memory_close(memory);
    zeroipc_memory_remove("/zeroipc-c-example-queue");
    return 0;
}
