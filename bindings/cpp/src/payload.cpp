#include "honker/payload.hpp"

#include "honker/error.hpp"
#include "rows.hpp"

#include <cmath>
#include <iostream>

namespace honker::detail {

std::string encode(const json& payload) {
    if (payload.is_discarded()) {
        throw InvalidArgumentError("payload is no JSON; give its text instead");
    }
    try {
        return payload.dump();
    } catch (const json::exception& error) {
        throw InvalidArgumentError(std::string("payload: ") + error.what());
    }
}

std::string checked(std::string_view text) {
    if (!json::accept(text)) {
        throw InvalidArgumentError("payload is no JSON text; for a JSON string pass honker::json(text)");
    }
    return std::string(text);
}

std::int64_t integer(const json& row, const char* key) {
    const json& value = row.at(key);
    return value.is_number_float() ? static_cast<std::int64_t>(std::floor(value.get<double>()))
                                   : value.get<std::int64_t>();
}

bool is_malformed(const json& row, const char* key) {
    const auto problem = row.find("malformed");
    if (problem == row.end()) {
        return false;
    }
    std::cerr << "honker: a malformed row is passed over: " << key << " " << row.at(key) << ": " << *problem << '\n';
    return true;
}

}  // namespace honker::detail
