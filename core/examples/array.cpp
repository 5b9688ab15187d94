#include <zeroipc/zeroipc.hpp>

#include <cstdint>
#include <iostream>

int main() {
    auto memory = zeroipc::Memory::open_or_create("/zeroipc-example-array", 1 << 20);
    zeroipc::Array<std::int32_t> data(memory, "data", 100);
    // Another process opens it: zeroipc::Array<std::int32_t> data(memory, "data");
    data.fill(1);
    data[7] = 35;          // plain memory: nobody else uses the element meanwhile
    data.fetch_add(7, 6);  // atomic: everybody may
    std::int32_t sum = 0;
    for (auto const value : data) sum += value;
    std::cout << data.load(7) + data.at(8) << " of " << sum << '\n';
    zeroipc::Memory::unlink("/zeroipc-example-array");
}
