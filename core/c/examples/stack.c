#include <stdio.h>
#include <zeroipc.h>

int main(void) {
    zeroipc_memory* memory;
    zeroipc_stack* stack;
    if (zeroipc_memory_open_or_create("/zeroipc-c-example-stack", 1 << 20, NULL, &memory) != ZEROIPC_OK ||
        zeroipc_stack_create(memory, "numbers", 100, sizeof(int), 8, &stack) != ZEROIPC_OK) {
        fprintf(stderr, "%s\n", zeroipc_detail());
        return 1;
    }
    int const numbers[2] = {41, 42};
    size_t done = 0;
    zeroipc_stack_try_push_n(stack, numbers, 2, &done);
    int first = 0;
    int second = 0;
    zeroipc_stack_try_pop(stack, &first);
    zeroipc_stack_try_pop(stack, &second);
    printf("%d before %d\n", first, second);
    zeroipc_stack_close(stack);
    zeroipc_memory_close(memory);
    zeroipc_memory_remove("/zeroipc-c-example-stack");
    return 0;
}
