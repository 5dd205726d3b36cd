// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include <omnistore/failure.hpp>

#include "transport/base64.hpp"

namespace etcd {
namespace {

constexpr unsigned DEEPEST = 64;

[[noreturn]] void damaged() {
  throw omnistore::Failure(OMNISTORE_CORRUPT, "the response is not the JSON of etcd's gateway");
}

class Parser {
public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json whole() {
    Json value = next(0);
    space();
    if (at_ != text_.size()) damaged();
    return value;
  }

private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void space() {
    while (peek() == ' ' || peek() == '\n' || peek() == '\r' || peek() == '\t') ++at_;
  }
  bool take(char c) {
    space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) damaged();
  }
  std::string_view string() {
    expect('"');
    const std::size_t start = at_;
    for (;;) {
      const std::size_t end = text_.find_first_of("\"\\", at_);
      if (end == text_.npos) damaged();
      at_ = end + 1;
      if (text_[end] == '"') return text_.substr(start, end - start);
      ++at_; // the escaped character
    }
  }
  Json next(unsigned depth) {
    if (depth > DEEPEST) damaged();
    Json value;
    space();
    if (peek() == '"') {
      value.text = string();
    } else if (take('{')) {
      if (take('}')) return value;
      do {
        space();
        value.names.push_back(string());
        expect(':');
        value.items.push_back(next(depth + 1));
      } while (take(','));
      expect('}');
    } else if (take('[')) {
      if (take(']')) return value;
      do value.items.push_back(next(depth + 1));
      while (take(','));
      expect(']');
    } else {
      const std::size_t start = at_;
      while (at_ < text_.size() && std::string_view(",]} \r\n\t").find(text_[at_]) == std::string_view::npos) ++at_;
      value.text = text_.substr(start, at_ - start);
      if (value.text.empty()) damaged();
    }
    return value;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

} // namespace

const Json &Json::operator[](std::string_view name) const {
  static const Json none;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return items[i];
  return none;
}

bool Json::has(std::string_view name) const { return &(*this)[name] != &(*this)["\n"]; }

std::int64_t Json::number() const {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string Json::bytes() const {
  std::optional<std::string> plain = http::from_base64(text);
  if (!plain) damaged();
  return std::move(*plain);
}

Json parse(std::string_view text) { return Parser(text).whole(); }

std::string quoted(std::string_view bytes) { return '"' + http::to_base64(bytes) + '"'; }

std::string json_string(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20)
      (out += "\\u00") += digits[byte >> 4], out += digits[byte & 15];
    else if (c == '"' || c == '\\')
      (out += '\\') += c;
    else
      out += c;
  }
  return out + '"';
}

} // namespace etcd
