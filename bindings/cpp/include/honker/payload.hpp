/// @file
/// Payloads: JSON values, with their text.
#ifndef HONKER_PAYLOAD_HPP
#define HONKER_PAYLOAD_HPP

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace honker {

using json = nlohmann::json;

/// A JSON value as it was read, with its text.
///
/// It is a json, so `payload["to"]` and `payload.get<Order>()` work; `json::parse(payload)` and `std::string(payload)`
/// use the text. A text of another program that is no JSON has is_discarded(), and its text().
class Payload : public json {
public:
    Payload() : json(nullptr), text_("null") {}
    /// Parse the text. Never throws for a text that is no JSON.
    explicit Payload(std::string text) : json(json::parse(text, nullptr, false)), text_(std::move(text)) {}

    /// The JSON text as it is stored.
    const std::string& text() const noexcept { return text_; }

    explicit operator std::string() const { return text_; }

    /// The characters of the text, which json::parse finds. A range-based for uses the members of json: the elements.
    friend const char* begin(const Payload& payload) noexcept { return payload.text_.data(); }
    friend const char* end(const Payload& payload) noexcept { return payload.text_.data() + payload.text_.size(); }

private:
    std::string text_;
};

namespace detail {

/// Enabled for texts: const char*, std::string, std::string_view. Their content is JSON text.
template <class Text>
using IfText = std::enable_if_t<std::is_convertible_v<const Text&, std::string_view> &&
                                !std::is_base_of_v<json, Text> && !std::is_null_pointer_v<Text>>;

/// The text of a payload. Throws InvalidArgumentError for a string that is not UTF-8.
std::string encode(const json& payload);
/// The text itself. Throws InvalidArgumentError if it is no JSON.
std::string checked(std::string_view text);

}  // namespace detail
}  // namespace honker

/// Copies the value where a json is made from a payload.
template <>
struct nlohmann::adl_serializer<honker::Payload> {
    static void to_json(json& to, const honker::Payload& from) { to = static_cast<const json&>(from); }
};

#endif
