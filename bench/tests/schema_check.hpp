#pragma once
/// \file
/// As much of JSON Schema as results/schema uses. A keyword that is not known here is a complaint, not
/// overlooked.

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace zeroipc::bench::testing {

using nlohmann::json;

inline bool is_of_type(json const& value, std::string const& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    throw std::invalid_argument("schema: unknown type " + type);
}

/// Appends what is wrong with a value, and where, to `complaints`.
inline void check_schema(json const& schema, json const& value, std::string const& where,
                         std::vector<std::string>& complaints) {
    auto const complain = [&](std::string const& what) {
        complaints.push_back(where + ": " + what + ": " + value.dump().substr(0, 80));
    };
    for (auto const& [keyword, rule] : schema.items()) {
        static constexpr std::array annotations{"$schema", "$id", "title", "description", "properties"};
        if (std::find(annotations.begin(), annotations.end(), keyword) != annotations.end()) continue;
        if (keyword == "type") {
            bool fits = rule.is_string() && is_of_type(value, rule.get<std::string>());
            if (rule.is_array())
                for (auto const& type : rule) fits = fits || is_of_type(value, type.get<std::string>());
            if (!fits) complain("is not of type " + rule.dump());
        } else if (keyword == "const") {
            if (value != rule) complain("is not " + rule.dump());
        } else if (keyword == "enum") {
            if (std::find(rule.begin(), rule.end(), value) == rule.end())
                complain("is none of " + rule.dump());
        } else if (keyword == "minimum") {
            if (value.is_number() && value.get<double>() < rule.get<double>())
                complain("is below " + rule.dump());
        } else if (keyword == "minItems") {
            if (value.is_array() && value.size() < rule.get<std::size_t>()) complain("has too few items");
        } else if (keyword == "maxItems") {
            if (value.is_array() && value.size() > rule.get<std::size_t>()) complain("has too many items");
        } else if (keyword == "required") {
            if (value.is_object())
                for (auto const& key : rule)
                    if (!value.contains(key.get<std::string>())) complain("lacks " + key.dump());
        } else if (keyword == "additionalProperties") {
            if (rule != false) throw std::invalid_argument("schema: additionalProperties other than false");
            if (value.is_object())
                for (auto const& [key, unused] : value.items())
                    if (!schema.at("properties").contains(key)) complain("has unknown key " + key);
        } else if (keyword == "items") {
            if (value.is_array())
                for (std::size_t i = 0; i < value.size(); ++i)
                    check_schema(rule, value[i], where + "[" + std::to_string(i) + "]", complaints);
        } else {
            throw std::invalid_argument("schema: unknown keyword " + keyword);
        }
    }
    if (schema.contains("properties") && value.is_object())
        for (auto const& [key, rule] : schema.at("properties").items())
            if (value.contains(key)) check_schema(rule, value.at(key), where + "." + key, complaints);
}

/// What the schema of records says against a value: nothing, or a line a complaint.
inline std::string record_complaints(json const& record) {
    static json const schema = [] {
        std::ifstream in(ZEROIPC_RECORD_SCHEMA);
        return json::parse(in);
    }();
    std::vector<std::string> complaints;
    check_schema(schema, record, "record", complaints);
    std::string text;
    for (auto const& complaint : complaints) text += complaint + "\n";
    return text;
}

}  // namespace zeroipc::bench::testing
