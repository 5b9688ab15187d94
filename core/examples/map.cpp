#include <zeroipc/zeroipc.hpp>

#include <iostream>

int main() {
    using text = zeroipc::fixed_string<16>;
    auto memory = zeroipc::Memory::open_or_create("/zeroipc-example-map", 1 << 20);
    zeroipc::Map<text, int> stock(memory, "stock", 1000);
    // Another process opens it: zeroipc::Map<text, int> stock(memory, "stock");
    stock.insert("apples", 3);
    stock.insert_or_assign("pears", 1);
    stock.update("apples", [](int n) { return n + 5; });
    stock.erase("pears");
    for (auto const& [name, count] : stock) std::cout << name.view() << ": " << count << '\n';
    zeroipc::Memory::unlink("/zeroipc-example-map");
}
