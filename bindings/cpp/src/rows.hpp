// The JSON results of SQL functions.
#ifndef HONKER_SRC_ROWS_HPP
#define HONKER_SRC_ROWS_HPP

#include "honker/payload.hpp"

#include <cstdint>
#include <string>

namespace honker::detail {

/// An integer of a row; a real is rounded down.
std::int64_t integer(const json& row, const char* key);
/// True for a row that was edited by hand into no event; it is reported on standard error.
bool is_malformed(const json& row, const char* key);

}  // namespace honker::detail

#endif
