#include "shape.hpp"

#include <sstream>
#include <vector>

namespace zeroipc::bench {

namespace {

/// Describes the children of an object, runs of equal ones as "3*".
std::string describe_each(std::vector<std::string> const& children) {
    std::ostringstream text;
    for (std::size_t i = 0; i < children.size();) {
        std::size_t end = i;
        while (end < children.size() && children[end] == children[i]) ++end;
        text << (i == 0 ? "" : " ") << end - i << '*' << children[i];
        i = end;
    }
    return text.str();
}

int count_nodes(hwloc_obj_t object) {
    int nodes = object->type == HWLOC_OBJ_NUMANODE ? 1 : 0;
    for (hwloc_obj_t child = object->memory_first_child; child != nullptr; child = child->next_sibling) {
        nodes += count_nodes(child);
    }
    return nodes;
}

/// Groups without memory come and go between versions of hwloc and kernels: their children stand in for them.
void describe_children(hwloc_obj_t object, Kinds const& kinds, std::vector<std::string>& into) {
    for (hwloc_obj_t child = object->first_child; child != nullptr; child = child->next_sibling) {
        if (child->type == HWLOC_OBJ_GROUP && child->memory_arity == 0) {
            describe_children(child, kinds, into);
        } else {
            into.push_back(describe(child, kinds));
        }
    }
}

}  // namespace

std::string describe(hwloc_obj_t object, Kinds const& kinds) {
    std::ostringstream text;
    text << hwloc_obj_type_string(object->type);
    if (hwloc_obj_type_is_cache(object->type) == 1) text << '(' << object->attr->cache.size << ')';
    auto const kind = object->type == HWLOC_OBJ_PU ? kinds.find(object->os_index) : kinds.end();
    if (kind != kinds.end()) text << '(' << kind->second << ')';
    if (int const nodes = count_nodes(object); nodes > 0) text << '+' << nodes << "NUMA";
    std::vector<std::string> children;
    describe_children(object, kinds, children);
    if (!children.empty()) text << '[' << describe_each(children) << ']';
    return text.str();
}

}  // namespace zeroipc::bench
