#include <zeroipc/zeroipc.hpp>

#include <iostream>

int main() {
    auto memory = zeroipc::Memory::open_or_create("/zeroipc-example", 1 << 20);
    zeroipc::Queue<int> queue(memory, "numbers", 1024);
    // Another process opens it: zeroipc::Queue<int> queue(memory, "numbers");
    queue.push(42);
    std::cout << queue.pop() << '\n';
    zeroipc::Memory::unlink("/zeroipc-example");
}
