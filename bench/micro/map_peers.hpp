#pragma once
/// \file
/// Maps of 8-byte keys to 8-byte values in one form: made for a number of keys, insert, find, erase.

#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "micro.hpp"

#if __has_include(<zeroipc/map.hpp>)
#include <zeroipc/map.hpp>
#define ZEROIPC_MICRO_MAP 1
#endif
#if defined(ZEROIPC_PEER_CDS)
#include "cds_session.hpp"
// Behind the garbage collector, which libcds expects first.
#include <cds/container/michael_kvlist_hp.h>
#include <cds/container/michael_map.h>
#endif
#if defined(ZEROIPC_PEER_TBB)
#include <tbb/concurrent_hash_map.h>
#include <tbb/concurrent_unordered_map.h>
#endif
#if defined(ZEROIPC_PEER_XENIUM)
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/vyukov_hash_map.hpp>
#endif

namespace zeroipc::micro {

using map_key = std::uint64_t;
using map_value = std::uint64_t;

#if defined(ZEROIPC_MICRO_MAP)
using shared_map = Map<map_key, map_value>;

/// The library's map, over memory of its own.
class our_map {
public:
    /// \param keys that it will hold; the capacity is the next power of two.
    explicit our_map(std::uint64_t keys)
        : memory_(
              nameless(bytes_for<shared_map>(capacity_for(keys), sizeof(map_key) + sizeof(map_value)), true)),
          map_(memory_, "map", capacity_for(keys)) {}

    bool insert(map_key key, map_value value) { return map_.insert(key, value) == outcome::inserted; }
    bool find(map_key key, map_value& value) { return map_.find(key, value); }
    bool erase(map_key key) { return was_there(map_.erase(key)); }

private:
    using outcome = decltype(std::declval<shared_map&>().insert(map_key{}, map_value{}));

    template <class Answer>
    static bool was_there(Answer answer) {
        if constexpr (std::same_as<Answer, bool>)
            return answer;
        else
            return answer != Answer::absent;
    }

    Memory memory_;
    shared_map map_;
};
#endif

/// std::unordered_map, readers side by side.
class std_shared_mutex_map {
public:
    explicit std_shared_mutex_map(std::uint64_t keys) { map_.reserve(keys); }

    bool insert(map_key key, map_value value) {
        std::unique_lock const locked(mutex_);
        return map_.emplace(key, value).second;
    }
    bool find(map_key key, map_value& value) {
        std::shared_lock const locked(mutex_);
        auto const at = map_.find(key);
        if (at == map_.end()) return false;
        value = at->second;
        return true;
    }
    bool erase(map_key key) {
        std::unique_lock const locked(mutex_);
        return map_.erase(key) == 1;
    }

private:
    std::shared_mutex mutex_;
    std::unordered_map<map_key, map_value> map_;
};

#if defined(ZEROIPC_PEER_TBB)
class tbb_hash_map {
public:
    explicit tbb_hash_map(std::uint64_t keys) : map_(keys) {}
    tbb_hash_map() = default;

    bool insert(map_key key, map_value value) { return map_.insert({key, value}); }
    bool find(map_key key, map_value& value) {
        map_type::const_accessor at;
        if (!map_.find(at, key)) return false;
        value = at->second;
        return true;
    }
    bool erase(map_key key) { return map_.erase(key); }

private:
    using map_type = tbb::concurrent_hash_map<map_key, map_value>;
    map_type map_;
};

/// The same as it is by default: not told how many keys will come.
class tbb_hash_map_growing : public tbb_hash_map {
public:
    explicit tbb_hash_map_growing(std::uint64_t /*keys*/) {}
};

/// Nothing can be erased from it while others use it.
class tbb_unordered_map {
public:
    explicit tbb_unordered_map(std::uint64_t keys) : map_(keys) {}

    bool insert(map_key key, map_value value) { return map_.insert({key, value}).second; }
    bool find(map_key key, map_value& value) {
        auto const at = map_.find(key);
        if (at == map_.end()) return false;
        value = at->second;
        return true;
    }

private:
    tbb::concurrent_unordered_map<map_key, map_value> map_;
};
#endif

#if defined(ZEROIPC_PEER_CDS)
class cds_michael_map {
public:
    explicit cds_michael_map(std::uint64_t keys) : map_(keys, 1) {}

    bool insert(map_key key, map_value value) { return map_.insert(key, value); }
    bool find(map_key key, map_value& value) {
        return map_.find(key, [&value](auto& found) { value = found.second; });
    }
    bool erase(map_key key) { return map_.erase(key); }

private:
    struct list_traits : cds::container::michael_list::traits {
        using less = std::less<map_key>;
    };
    struct map_traits : cds::container::michael_map::traits {
        using hash = std::hash<map_key>;
    };
    using list = cds::container::MichaelKVList<cds::gc::HP, map_key, map_value, list_traits>;

    bench::cds_session session_;
    cds::container::MichaelHashMap<cds::gc::HP, list, map_traits> map_;
};
#endif

#if defined(ZEROIPC_PEER_XENIUM)
class xenium_vyukov_map {
public:
    /// Its capacity is in buckets, of three items each.
    explicit xenium_vyukov_map(std::uint64_t keys) : map_(capacity_for(keys) / 2) {}

    bool insert(map_key key, map_value value) { return map_.emplace(key, value); }
    bool find(map_key key, map_value& value) {
        map_type::accessor at;
        if (!map_.try_get_value(key, at)) return false;
        value = *at;
        return true;
    }
    bool erase(map_key key) { return map_.erase(key); }

private:
    using map_type = xenium::vyukov_hash_map<map_key, map_value,
                                             xenium::policy::reclaimer<xenium::reclamation::epoch_based<>>>;
    map_type map_;
};
#endif

}  // namespace zeroipc::micro
