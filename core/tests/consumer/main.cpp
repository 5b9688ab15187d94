// A project of somebody else: it knows nothing but the installed package.
#include <unistd.h>
#include <zeroipc/zeroipc.hpp>

#include <cstdint>
#include <iostream>
#include <string>

int main() {
    auto const name = "zeroipc-test-" + std::to_string(::getpid()) + "-consumer";
    auto memory = zeroipc::Memory::create(name, 1 << 20);
    zeroipc::Array<std::int32_t> array(memory, "array", 100);
    zeroipc::Queue<std::int32_t> queue(memory, "queue", 64);
    array.fetch_add(7, 40);
    queue.push(array.load(7) + 2);
    std::cout << "the answer is " << queue.pop() << '\n';
    zeroipc::Memory::unlink(name);
}
