#include <zeroipc/zeroipc.hpp>

#include <iostream>

int main() {
    auto memory = zeroipc::Memory::open_or_create("/zeroipc-example-stack", 1 << 20);
    zeroipc::Stack<int> stack(memory, "numbers", 1000);
    // Another process opens it: zeroipc::Stack<int> stack(memory, "numbers");
    stack.push(41);
    stack.push(42);
    if (auto const top = stack.try_peek()) std::cout << "on top: " << *top << '\n';
    auto const first = stack.pop();
    std::cout << first << " before " << stack.pop() << '\n';
    zeroipc::Memory::unlink("/zeroipc-example-stack");
}
