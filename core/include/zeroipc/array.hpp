#pragma once
/// \file
/// A fixed-size array in shared memory, with atomic operations on its elements. Bytes: format/array.md.

#include <algorithm>
#include <atomic>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "atomics.hpp"
#include "detail/attachment.hpp"
#include "error.hpp"
#include "memory.hpp"
#include "ordering.hpp"
#include "policy.hpp"
#include "shareable.hpp"

namespace zeroipc {

/// Numbers of the ordered accesses to an element, for ordering policies and for the comments. Each releases
/// what its process wrote before to whoever acquires the same element.
enum class array_access : int {
    reads = 1,      ///< (A1) acquire; partners (A2), (A3), (A4)
    writes = 2,     ///< (A2) release; partners (A1), (A3), (A4)
    modifies = 3,   ///< (A3) acq_rel: exchange and fetch_*; partners (A1), (A2), (A3), (A4)
    exchanges = 4,  ///< (A4) acq_rel, failing acquire: compare_exchange; partners (A1), (A2), (A3), (A4)
};

namespace detail {

/// Of a size that the processor accesses as a whole, and aligned to it by its own type: for less aligned ones
/// compilers call a library that we do not link.
template <class T>
concept atomic_size = std::has_single_bit(sizeof(T)) && sizeof(T) <= 8 &&
                      std::same_as<std::integral_constant<std::size_t, alignof(T)>,
                                   std::integral_constant<std::size_t, sizeof(T)>>;

/// Every byte is part of the value. With padding, a compare-exchange could fail on bytes that mean nothing.
template <class T>
concept without_padding = std::has_unique_object_representations_v<T> || std::is_floating_point_v<T>;

/// std::atomic can hold it, as its bare bytes.
template <class T>
concept bare_in_atomic = std::copyable<T> && std::atomic<T>::is_always_lock_free &&
                             sizeof(std::atomic<T>) == sizeof(T) &&
                         alignof(std::atomic<T>) <= 8;

}  // namespace detail

/// An element that the processor accesses as a whole: 1, 2, 4 or 8 bytes, none of them padding, aligned to their
/// number (a struct of two 32-bit numbers needs alignas(8)).
template <class T>
concept atomic_element =
    shareable<T> && detail::atomic_size<T> && detail::without_padding<T> && detail::bare_in_atomic<T>;

/// An element on which one can count.
template <class T>
concept counting_element = atomic_element<T> && std::integral<T> && !std::same_as<std::remove_cv_t<T>, bool>;

/// An array of T between processes. Its capacity is fixed when it is made, and any number but 0.
///
/// Elements are reached in three ways:
/// - `operator[]`, iterators and `span()` are plain memory: unchecked and unordered. As between threads, nobody
///   may write an element so while another process or thread accesses it.
/// - `at(i)` is the same, with the index checked.
/// - `load`, `store`, `exchange`, `compare_exchange` and `fetch_*` are atomic, wait-free where the processor has
///   the instruction (else lock-free), ordered by the ordering policy, and *unchecked*: an index that is not
///   below capacity() is undefined behaviour, and so is any use in a forked child, as of `operator[]`. They exist for elements that the processor accesses as a whole.
///
/// An Array object may be used by several threads. A process may be killed at any instruction: an atomic
/// operation has then happened or not, and a plain write of several bytes may be half done.
///
/// Bytes of a type are all that is known of it: opening checks the size of an element, and nothing else tells
/// an array from another structure whose numbers happen to fit.
///
/// \tparam T trivially copyable, any size, alignment up to 8: the elements begin 8 bytes behind a boundary of 64.
/// \tparam Policies any of ordering:: and atomics::, in any order, each at most once; private to this object.
template <shareable T, class... Policies>
class Array {
    static_assert(alignof(T) <= 8,
                  "zeroipc: the elements of an Array begin 8 bytes behind a 64-byte boundary, "
                  "so their type must not be aligned to more than 8 bytes");
    static_assert(policy::accepts<policy::ordering_kind, policy::atomics_kind>::check<Policies...>());

public:
    using value_type = T;
    using size_type = std::uint64_t;
    using iterator = T*;
    using const_iterator = T const*;
    using ordering = policy::select_t<policy::ordering_kind, zeroipc::ordering::acq_rel, Policies...>;
    using atomics = policy::select_t<policy::atomics_kind, zeroipc::atomics::native, Policies...>;
    static_assert(policy::complete_accesses<ordering, atomics, array_access>());

    static constexpr std::size_t header_bytes = 8;  ///< the capacity; the elements follow

    /// Makes the array `name` in the segment, and opens it. The elements are zero bytes. O(1): memory that the
    /// segment has zeroed is not touched.
    /// \throws error: exists, invalid_capacity, too_large, invalid_name, segment_full, table_full, busy, forked
    Array(Memory& memory, std::string_view name, std::uint64_t capacity)
        : Array(memory, create(memory, name, capacity)) {}

    /// Opens the array `name`. \throws error: not_found, wrong_item_size, corrupt, forked
    Array(Memory& memory, std::string_view name) : Array(memory, lookup(memory, name)) {}

    Array(Array&&) noexcept = default;
    Array& operator=(Array&&) noexcept = default;
    Array(Array const&) = delete;
    Array& operator=(Array const&) = delete;
    ~Array() = default;

    /// Bytes that an array takes from its segment. \throws error: invalid_capacity, too_large
    static std::uint64_t bytes_for(std::uint64_t capacity) { return checked_bytes("array", capacity); }

    /// Elements in it. Read once, when the array was opened.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return capacity_; }

    /// Element i. Unchecked, also against use across fork. \pre i < capacity()
    [[nodiscard]] T& operator[](std::uint64_t i) noexcept { return elements_[i]; }
    [[nodiscard]] T const& operator[](std::uint64_t i) const noexcept { return elements_[i]; }

    /// Element i, checked. \throws error: out_of_range, forked
    [[nodiscard]] T& at(std::uint64_t i) { return first()[checked_index(i)]; }
    [[nodiscard]] T const& at(std::uint64_t i) const { return first()[checked_index(i)]; }

    /// All elements. \throws error(errc::forked), as begin() does
    [[nodiscard]] std::span<T> span() { return {first(), static_cast<std::size_t>(capacity_)}; }
    [[nodiscard]] std::span<T const> span() const { return {first(), static_cast<std::size_t>(capacity_)}; }

    [[nodiscard]] iterator begin() { return first(); }
    [[nodiscard]] iterator end() { return first() + capacity_; }
    [[nodiscard]] const_iterator begin() const { return first(); }
    [[nodiscard]] const_iterator end() const { return first() + capacity_; }
    [[nodiscard]] const_iterator cbegin() const { return first(); }
    [[nodiscard]] const_iterator cend() const { return first() + capacity_; }

    /// Writes the value to every element, one after the other, by plain stores. O(capacity).
    /// \throws error(errc::forked)
    void fill(T const& value) { std::fill_n(first(), capacity_, value); }

    /// The element's value. Wait-free. \pre i < capacity(), here and below
    [[nodiscard]] T load(std::uint64_t i) const noexcept requires atomic_element<T> {
        return ordering::template load<atomics, array_access::reads>(word(i));  // (A1)
    }
    /// Replaces the element. Wait-free.
    void store(std::uint64_t i, T value) noexcept requires atomic_element<T> {
        ordering::template store<atomics, array_access::writes>(word(i), value);  // (A2)
    }
    /// Replaces the element. \return what it was.
    T exchange(std::uint64_t i, T value) noexcept requires atomic_element<T> {
        return modify([&](auto order) { return word(i).exchange(value, order); });  // (A3)
    }
    /// Replaces the element by `desired` if its bytes are those of `expected`. \return whether they were; if
    /// not, `expected` is what was there instead. Never fails without cause.
    bool compare_exchange(std::uint64_t i, T& expected, T desired) noexcept requires atomic_element<T> {
        return ordering::template exchange_if<atomics, array_access::exchanges>(  // (A4)
            word(i), expected, desired);
    }

    /// Each changes the element and returns what it was. Numbers wrap, signed ones too. (A3)
    T fetch_add(std::uint64_t i, T value) noexcept requires counting_element<T> {
        return modify([&](auto order) { return word(i).fetch_add(value, order); });
    }
    T fetch_sub(std::uint64_t i, T value) noexcept requires counting_element<T> {
        return modify([&](auto order) { return word(i).fetch_sub(value, order); });
    }
    T fetch_and(std::uint64_t i, T value) noexcept requires counting_element<T> {
        return modify([&](auto order) { return word(i).fetch_and(value, order); });
    }
    T fetch_or(std::uint64_t i, T value) noexcept requires counting_element<T> {
        return modify([&](auto order) { return word(i).fetch_or(value, order); });
    }
    T fetch_xor(std::uint64_t i, T value) noexcept requires counting_element<T> {
        return modify([&](auto order) { return word(i).fetch_xor(value, order); });
    }

private:
    /// An array found or made: where it is, and its capacity as checked against that place.
    struct found {
        std::string name;
        std::uint64_t offset;
        std::uint64_t capacity;
    };

    Array(Memory& memory, found at)
        : state_(memory.attachment()),
          name_(std::move(at.name)),
          elements_(reinterpret_cast<T*>(memory.base() + at.offset + header_bytes)),
          capacity_(at.capacity) {}

    [[nodiscard]] T* first() const {
        state_->refuse_forked();
        return elements_;
    }

    [[nodiscard]] std::uint64_t checked_index(std::uint64_t i) const {
        if (i >= capacity_) [[unlikely]]
            throw error(errc::out_of_range, quoted(name_) + ": index " + std::to_string(i) + " of capacity " +
                                                std::to_string(capacity_) + "; use 0 to " +
                                                std::to_string(capacity_ - 1));
        return i;
    }

    [[nodiscard]] auto& word(std::uint64_t i) const noexcept {
        return reinterpret_cast<typename atomics::template word<T>*>(elements_)[i];
    }

    template <class Operation>
    static T modify(Operation&& operation) noexcept {
        return ordering::template modify<atomics, array_access::modifies>(operation);
    }

    static std::string quoted(std::string_view name) { return "array '" + std::string(name) + "'"; }

    static std::uint64_t checked_bytes(std::string const& what, std::uint64_t capacity) {
        if (capacity == 0) throw error(errc::invalid_capacity, what + ": capacity 0; use 1 or more elements");
        if (capacity >= (format::segment_limit - header_bytes) / sizeof(T) + 1 ||
            header_bytes + capacity * sizeof(T) >= format::segment_limit)
            throw error(errc::too_large, what + ": " + std::to_string(capacity) + " elements of " +
                                             std::to_string(sizeof(T)) +
                                             " bytes do not fit below 4 GiB; use a smaller capacity");
        return header_bytes + capacity * sizeof(T);
    }

    static found create(Memory& memory, std::string_view name, std::uint64_t capacity) {
        auto const bytes = checked_bytes(quoted(name), capacity);
        auto const entry =
            memory.add(name, bytes, [&](std::byte* base) { std::memcpy(base, &capacity, sizeof capacity); });
        return {std::string(name), entry.offset, capacity};
    }

    static found lookup(Memory& memory, std::string_view name) {
        auto const entry = memory.find(name);
        if (!entry)
            throw error(errc::not_found, "segment '" + memory.name() + "' has no structure '" +
                                             std::string(name) + "'; create it first");
        std::uint64_t capacity = 0;
        if (entry->size > header_bytes)
            std::memcpy(&capacity, memory.base() + entry->offset, sizeof capacity);
        auto const body = capacity == 0 ? 0 : entry->size - header_bytes;
        if (capacity == 0 || body % capacity != 0)
            throw error(errc::corrupt, quoted(name) + " says capacity " + std::to_string(capacity) +
                                           ", which its " + std::to_string(entry->size) +
                                           " bytes do not give; it is no array, or it was overwritten");
        if (body / capacity != sizeof(T))
            throw error(errc::wrong_item_size,
                        quoted(name) + " has elements of size " + std::to_string(body / capacity) + ", not " +
                            std::to_string(sizeof(T)) + "; open it with the type it was made for");
        return {std::string(name), entry->offset, capacity};
    }

    std::shared_ptr<detail::attachment> state_;
    std::string name_;
    T* elements_;
    std::uint64_t capacity_;
};

}  // namespace zeroipc
