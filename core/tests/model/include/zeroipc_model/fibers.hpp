#pragma once
/// \file
/// Threads of the model: fibers of Boost.Context that can be abandoned in the middle, without unwinding.

#include <array>
#include <boost/context/fiber.hpp>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#define ZEROIPC_MODEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ZEROIPC_MODEL_ASAN 1
#endif
#endif
#ifdef ZEROIPC_MODEL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace zeroipc::model {

/// A set of fibers, each on a stack of its own. The main program resumes one at a time, and each pauses itself.
template <unsigned N>
class fibers {
public:
    fibers() : stacks_(new std::byte[N * stack_bytes]) {}

    /// Makes fiber `which` anew: it will call body() when it is resumed first. What was there before is forgotten as
    /// it stands; nothing of it is destroyed. body() must not let an exception out.
    template <class Body>
    void start(unsigned which, Body&& body) {
        auto* const bottom = stacks_.get() + which * stack_bytes;
#ifdef ZEROIPC_MODEL_ASAN
        __asan_unpoison_memory_region(bottom, stack_bytes);
#endif
        namespace context = boost::context;
        context::stack_context stack;
        stack.sp = bottom + stack_bytes;
        stack.size = stack_bytes;
        context::preallocated const place(stack.sp, stack.size, stack);
        new (&at(which))
            context::fiber(std::allocator_arg, place, no_allocation{},
                           [this, which, body = std::forward<Body>(body)](context::fiber&& main) mutable {
                               arrived(nullptr);
                               main_ = &main;
                               body();
                               over_[which] = true;
                               leaves(nullptr, main_bottom_, main_bytes_);
                               return std::move(main);
                           });
        over_[which] = false;
    }

    /// Lets fiber `which` run until it pauses or ends. \return whether it ended.
    bool resume(unsigned which) {
        void* fake = nullptr;
        leaves(&fake, stacks_.get() + which * stack_bytes, stack_bytes);
        auto next = std::move(at(which)).resume();
        arrived(fake);
        if (over_[which]) return true;
        new (&at(which)) boost::context::fiber(std::move(next));
        return false;
    }

    /// In a fiber: gives control back to the main program.
    void pause() {
        void* fake = nullptr;
        auto* const mine = main_;
        leaves(&fake, main_bottom_, main_bytes_);
        auto next = std::move(*mine).resume();
        arrived(fake);
        main_ = mine;
        *main_ = std::move(next);
    }

private:
    static constexpr std::size_t stack_bytes = 128 * 1024;
    /// The stacks are ours.
    struct no_allocation {
        using traits_type = boost::context::stack_traits;
        boost::context::stack_context allocate() { throw std::bad_alloc(); }
        void deallocate(boost::context::stack_context&) noexcept {}
    };

    boost::context::fiber& at(unsigned which) {
        return *reinterpret_cast<boost::context::fiber*>(storage_[which].bytes);
    }

    // AddressSanitizer wants to know on which stack the program runs.
    void leaves([[maybe_unused]] void** fake, [[maybe_unused]] void const* bottom,
                [[maybe_unused]] std::size_t bytes) {
#ifdef ZEROIPC_MODEL_ASAN
        __sanitizer_start_switch_fiber(fake, bottom, bytes);
#endif
    }
    void arrived([[maybe_unused]] void* fake) {
#ifdef ZEROIPC_MODEL_ASAN
        void const* from = nullptr;
        std::size_t bytes = 0;
        __sanitizer_finish_switch_fiber(fake, &from, &bytes);
        if (main_bytes_ == 0) {
            main_bottom_ = from;
            main_bytes_ = bytes;
        }
#endif
    }

    struct alignas(boost::context::fiber) raw {
        std::byte bytes[sizeof(boost::context::fiber)];
    };
    std::unique_ptr<std::byte[]> stacks_;
    std::array<raw, N> storage_{};  // never destroyed: that would unwind a fiber that was abandoned
    std::array<bool, N> over_{};
    boost::context::fiber* main_ = nullptr;  ///< of the running fiber: where to pause to
    void const* main_bottom_ = nullptr;
    std::size_t main_bytes_ = 0;
};

}  // namespace zeroipc::model
