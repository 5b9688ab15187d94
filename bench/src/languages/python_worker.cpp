// The worker of a Python process, as a library that its interpreter loads: stages, loops, clock and books are those of
// every worker, and each operation is a call of the Python library.

#include "zeroipc/bench/worker.hpp"

#include <cstring>
#include <stdexcept>

#include "../kill/subjects.hpp"
#include "parts.hpp"
#include "python_objects.hpp"
#include "zeroipc/bench/pinning.hpp"

namespace zeroipc::bench {

namespace {

using Item = Payload<8>;

/// What the interpreter gave us: see worker.py.
struct Given {
    PyObject* open = nullptr;
    PyObject* none = nullptr;
    PyObject* yes = nullptr;
};
Given given;

/// A structure as Python opened it: a tuple of where its segment lies, and of the operations in the order that they are
/// listed in.
class Opened {
public:
    Opened(Memory const& memory, char const* structure, char const* name)
        : parts_(Object::borrowed(given.open)(Object::of(memory.name().c_str()), Object::of(structure),
                                              Object::of(name))) {
        prefault(reinterpret_cast<void*>(parts_.at(0).number()), memory.bytes());
    }
    [[nodiscard]] Object operation(int index) const { return parts_.at(1 + index); }

private:
    Object parts_;
};

bool is_true(Object const& object) { return object.get() == given.yes; }
bool is_none(Object const& object) { return object.get() == given.none; }

/// Queues and stacks.
class PythonContainer {
public:
    bool try_push(Item const& item) { return is_true(push_(Object::of(item.word[0]))); }
    bool try_pop(Item& item) {
        auto const taken = pop_();
        if (is_none(taken)) return false;
        item.word[0] = taken.number();
        return true;
    }
    std::size_t try_push_n(std::span<Item const> items) {
        constexpr int to_read = 0x100;
        auto* const bytes = const_cast<char*>(reinterpret_cast<char const*>(items.data()));
        return push_n_(view(bytes, items.size_bytes(), to_read)).number();
    }
    std::size_t try_pop_n(std::span<Item> items) {
        constexpr int to_write = 0x200;
        return pop_n_(view(reinterpret_cast<char*>(items.data()), items.size_bytes(), to_write)).number();
    }

protected:
    explicit PythonContainer(Opened const& opened)
        : push_(opened.operation(0)),
          pop_(opened.operation(1)),
          push_n_(opened.operation(2)),
          pop_n_(opened.operation(3)) {}

private:
    static Object view(char* bytes, std::size_t count, int flags) {
        return Object(PyMemoryView_FromMemory(bytes, static_cast<std::intptr_t>(count), flags));
    }
    Object push_, pop_, push_n_, pop_n_;
};

struct PythonQueue : PythonContainer {
    PythonQueue(Memory const& memory, char const* name) : PythonContainer(Opened(memory, "queue", name)) {}
};
struct PythonStack : PythonContainer {
    PythonStack(Memory const& memory, char const* name) : PythonContainer(Opened(memory, "stack", name)) {}
};

class PythonMap {
public:
    PythonMap(Memory const& memory, char const* name) : PythonMap(Opened(memory, "map", name)) {}

    bool find(std::uint64_t key, Item& value) {
        auto const found = find_(Object::of(key));
        if (is_none(found)) return false;
        value.word[0] = found.number();
        return true;
    }
    outcome insert(std::uint64_t key, Item const& value) {
        return outcome_of(insert_(Object::of(key), Object::of(value.word[0])));
    }
    outcome insert_or_assign(std::uint64_t key, Item const& value) {
        return outcome_of(assign_(Object::of(key), Object::of(value.word[0])));
    }
    template <class Change>
    outcome update(std::uint64_t, Change const&) {
        throw std::logic_error("a mix that modifies values, which the plan refuses for Python");
    }
    bool erase(std::uint64_t key) { return is_true(erase_(Object::of(key))); }
    template <class Visit>
    void for_each(Visit visit) {
        std::vector<std::uint64_t> pairs;
        auto const count = items_().number();
        if (count == 0) return;  // no memory to copy into
        pairs.resize(2 * count);
        static_cast<void>(copy_(Object(PyMemoryView_FromMemory(
            reinterpret_cast<char*>(pairs.data()), static_cast<std::intptr_t>(16 * count), 0x200))));
        for (std::size_t i = 0; i < count; ++i) visit(pairs[2 * i], Item{{pairs[2 * i + 1]}});
    }

private:
    explicit PythonMap(Opened const& opened)
        : find_(opened.operation(0)),
          insert_(opened.operation(1)),
          assign_(opened.operation(2)),
          erase_(opened.operation(3)),
          items_(opened.operation(4)),
          copy_(opened.operation(5)),
          inserted_(opened.operation(6)),
          assigned_(opened.operation(7)),
          present_(opened.operation(8)) {}

    [[nodiscard]] outcome outcome_of(Object const& object) const {
        if (object.get() == inserted_.get()) return outcome::inserted;
        if (object.get() == assigned_.get()) return outcome::assigned;
        return object.get() == present_.get() ? outcome::present : outcome::full;
    }

    Object find_, insert_, assign_, erase_, items_, copy_, inserted_, assigned_, present_;
};

void work_in_python(Bench& bench, Memory& memory, Stages& stages, std::uint32_t worker) {
    work_by_handles<PythonQueue, PythonStack, PythonMap>(bench, memory, stages, worker);
}

}  // namespace

// What worker.cpp looks up: here there is nothing but Python.
std::optional<Subject> find_subject(std::string_view /*variant*/, std::uint32_t /*payload_bytes*/) {
    return Subject{nullptr, nullptr, &work_in_python};
}
KillSubject const& find_kill_subject(std::string_view variant) {
    throw std::invalid_argument("mode kill is for variants of the catalogue, not for " +
                                std::string(variant));
}

}  // namespace zeroipc::bench

/// Called by worker.py, which holds the interpreter's lock.
/// \param open opens a structure; \param none, yes Python's None and True. \return exit status.
extern "C" int zeroipc_bench_python_worker(char const* segment, std::uint32_t index, int parent,
                                           PyObject* open, PyObject* none, PyObject* yes) {
    zeroipc::bench::given = {open, none, yes};
    return zeroipc::bench::worker_main(segment, index, parent);
}
