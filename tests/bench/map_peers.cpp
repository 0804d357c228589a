/* SPDX-License-Identifier: MIT
 *
 * map_peers.cpp - map_work.h's work by std::unordered_map and, where their headers are there,
 * boost::unordered_flat_map and absl::flat_hash_map, each with its default hash.
 */
#include <string>
#include <unordered_map>
#include <vector>

#if __has_include(<boost/unordered/unordered_flat_map.hpp>)
#include <boost/unordered/unordered_flat_map.hpp>
#define HAS_BOOST 1
#endif
#if __has_include(<absl/container/flat_hash_map.h>)
#include <absl/container/flat_hash_map.h>
#define HAS_ABSL 1
#endif

#include "map_work.h"

namespace {

const map_work &work_of(void *user) {
    return *static_cast<const map_work *>(user);
}

/* Made beforehand: std::string keys are what this side's user has at hand. */
std::vector<std::string> strings_of(const char *texts, uint64_t count) {
    std::vector<std::string> out;
    for (uint64_t i = 0; i < count; i++) {
        out.emplace_back(texts + i * MAP_TEXT_SIZE, MAP_TEXT_SIZE);
    }
    return out;
}

template <class Map> struct integers {
    static void *fill(const map_work *work) {
        Map *map = new Map;
        for (uint64_t i = 0; i < work->count; i++) {
            (*map)[work->keys[i]] = i;
        }
        return map;
    }
    static void drop(void *map) {
        delete static_cast<Map *>(map);
    }
    static uint64_t insert(void *user, uint64_t) {
        void *map = fill(&work_of(user));
        uint64_t size = static_cast<Map *>(map)->size();
        drop(map);
        return size;
    }
    static uint64_t find(Map &map, const uint64_t *keys, uint64_t count) {
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; i++) {
            auto found = map.find(keys[i]);
            sum += found != map.end() ? found->second + 1 : 0;
        }
        return sum;
    }
    static uint64_t hit(void *user, uint64_t count) {
        return find(*static_cast<Map *>(work_of(user).map), work_of(user).hits, count);
    }
    static uint64_t miss(void *user, uint64_t count) {
        return find(*static_cast<Map *>(work_of(user).map), work_of(user).misses, count);
    }
    static uint64_t churn(void *user, uint64_t count) {
        Map &map = *static_cast<Map *>(work_of(user).map);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t key = work_of(user).hits[i];
            auto found = map.find(key);
            uint64_t value = found->second;
            map.erase(found);
            map[key] = value;
        }
        return map.size();
    }
    static uint64_t walk(void *user, uint64_t) {
        uint64_t sum = 0;
        for (const auto &entry : *static_cast<Map *>(work_of(user).map)) {
            sum += entry.first ^ entry.second;
        }
        return sum;
    }
};

template <class Map> struct texts {
    struct state {
        std::vector<std::string> keys;
        std::vector<std::string> hits;
        Map map;
    };
    static void *fill(const map_work *work) {
        state *s = new state{strings_of(work->texts, work->count),
                             strings_of(work->text_hits, work->count), Map()};
        for (uint64_t i = 0; i < work->count; i++) {
            s->map[s->keys[i]] = i;
        }
        return s;
    }
    static void drop(void *raw) {
        delete static_cast<state *>(raw);
    }
    static uint64_t insert(void *user, uint64_t count) {
        const state &s = *static_cast<state *>(work_of(user).map);
        Map map;
        for (uint64_t i = 0; i < count; i++) {
            map[s.keys[i]] = i;
        }
        return map.size();
    }
    static uint64_t hit(void *user, uint64_t count) {
        state &s = *static_cast<state *>(work_of(user).map);
        uint64_t sum = 0;
        for (uint64_t i = 0; i < count; i++) {
            auto found = s.map.find(s.hits[i]);
            sum += found != s.map.end() ? found->second + 1 : 0;
        }
        return sum;
    }
};

template <class Integers, class Texts> map_side side_of(const char *name) {
    return map_side{name,          Integers::fill, Integers::drop,  Integers::insert,
                    Integers::hit, Integers::miss, Integers::churn, Integers::walk,
                    Texts::fill,   Texts::drop,    Texts::insert,   Texts::hit};
}

} // namespace

const map_side *map_side_std(void) {
    static const map_side side =
        side_of<integers<std::unordered_map<uint64_t, uint64_t>>,
                texts<std::unordered_map<std::string, uint64_t>>>("std::unordered_map ns");
    return &side;
}

const map_side *map_side_boost(void) {
#ifdef HAS_BOOST
    static const map_side side =
        side_of<integers<boost::unordered_flat_map<uint64_t, uint64_t>>,
                texts<boost::unordered_flat_map<std::string, uint64_t>>>("boost flat ns");
    return &side;
#else
    return nullptr;
#endif
}

const map_side *map_side_absl(void) {
#ifdef HAS_ABSL
    static const map_side side =
        side_of<integers<absl::flat_hash_map<uint64_t, uint64_t>>,
                texts<absl::flat_hash_map<std::string, uint64_t>>>("absl flat ns");
    return &side;
#else
    return nullptr;
#endif
}
