// SPDX-License-Identifier: Apache-2.0
//
// omnistore/options.hpp - reads the options of a driver from the JSON object that the host passes
// to it. It needs no JSON library and nothing of the host.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/failure.hpp>

namespace omnistore {

/// The type of a JSON value.
enum class Kind { null, boolean, number, string, array, object };

namespace sdk {

/// The text of one JSON value, as a part of the whole text, and its type.
struct JsonValue {
  Kind kind = Kind::null;
  std::string_view text; ///< from its first to its last byte
};

/// Reads JSON (RFC 8259) from start to end. Throws Failure(OMNISTORE_INVALID) if the text is not
/// JSON.
class JsonReader {
public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  /// Reads the next value, whole and checked.
  JsonValue value() {
    space();
    const std::size_t start = at_;
    const Kind kind = skip();
    return {kind, text_.substr(start, at_ - start)};
  }

  /// Steps into an object or array, then from item to item: while (more('}')) { ... }.
  void enter(char bracket) { expect(bracket), first_ = true; }
  bool more(char bracket) {
    space();
    if (take(bracket)) return false;
    if (!std::exchange(first_, false)) expect(',');
    return true;
  }
  /// Reads an object's next name, and the ':' after it.
  std::string name() {
    std::string name = string();
    expect(':');
    return name;
  }

  /// Reads the next value, a string, without its quotes and escapes.
  std::string string() {
    expect('"');
    std::string out;
    for (;;) {
      const unsigned char c = next();
      if (c == '"') return out;
      if (c < 0x20) fail("a control character in a string");
      if (c != '\\')
        out += static_cast<char>(c);
      else
        escape(out);
    }
  }

  /// Checks that nothing but white space follows.
  void end() {
    space();
    if (at_ != text_.size()) fail("something follows the value");
  }

private:
  static constexpr unsigned deepest = 100;

  std::string_view text_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  bool first_ = true;

  [[noreturn]] void fail(const char *what) const {
    throw Failure(OMNISTORE_INVALID,
                  "options: " + std::string(what) + " (at byte " + std::to_string(at_) + ")");
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  unsigned char next() {
    if (at_ == text_.size()) fail("the JSON text ends too early");
    return static_cast<unsigned char>(text_[at_++]);
  }
  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    space();
    if (take(c)) return;
    const char what[] = {'e', 'x', 'p', 'e', 'c', 't', 'e', 'd', ' ', c, '\0'};
    fail(what);
  }
  void space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  Kind skip() {
    switch (peek()) {
    case '{':
      return skip_object();
    case '[':
      return skip_array();
    case '"':
      return string(), Kind::string;
    case 't':
      return word("true"), Kind::boolean;
    case 'f':
      return word("false"), Kind::boolean;
    case 'n':
      return word("null"), Kind::null;
    default:
      return number(), Kind::number;
    }
  }
  Kind skip_object() {
    if (++depth_ > deepest) fail("nested too deep");
    for (enter('{'); more('}');) name(), value();
    leave();
    return Kind::object;
  }
  Kind skip_array() {
    if (++depth_ > deepest) fail("nested too deep");
    for (enter('['); more(']');) value();
    leave();
    return Kind::array;
  }
  /// Leaves an object or array, which is itself an item of the one around it: a ',' or the end
  /// follows.
  void leave() { --depth_, first_ = false; }
  void word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("expected a value");
    at_ += word.size();
  }
  void digits() {
    if (peek() < '0' || peek() > '9') fail("expected a value");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }
  void number() {
    take('-');
    if (!take('0')) digits();
    if (take('.')) digits();
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      digits();
    }
  }

  unsigned hex4() {
    unsigned code = 0;
    for (int i = 0; i < 4; ++i) {
      const unsigned char c = next();
      if (c >= '0' && c <= '9')
        code = code * 16 + (c - '0');
      else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        code = code * 16 + ((c | 0x20) - 'a' + 10u);
      else
        fail("expected four hexadecimal digits");
    }
    return code;
  }
  void escape(std::string &out) {
    static constexpr std::string_view names = "\"\\/bfnrt", bytes = "\"\\/\b\f\n\r\t";
    const char c = static_cast<char>(next());
    if (const std::size_t i = names.find(c); i != names.npos) return out.push_back(bytes[i]);
    if (c != 'u') fail("an unknown escape");
    std::uint32_t code = hex4();
    if (code >= 0xdc00 && code < 0xe000) fail("half of a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
      if (!take('\\') || !take('u')) fail("half of a surrogate pair");
      const std::uint32_t low = hex4();
      if (low < 0xdc00 || low >= 0xe000) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    utf8(out, code);
  }
  static void utf8(std::string &out, std::uint32_t code) {
    const auto tail = [&](unsigned shift) {
      out += static_cast<char>(0x80 | ((code >> shift) & 0x3f));
    };
    if (code < 0x80)
      out += static_cast<char>(code);
    else if (code < 0x800)
      out += static_cast<char>(0xc0 | (code >> 6)), tail(0);
    else if (code < 0x10000)
      out += static_cast<char>(0xe0 | (code >> 12)), tail(6), tail(0);
    else
      out += static_cast<char>(0xf0 | (code >> 18)), tail(12), tail(6), tail(0);
  }
};

} // namespace sdk

/// A driver's options: one JSON object. The host has checked it against the driver's schema and
/// filled in the defaults. Durations are numbers of milliseconds, and sizes are numbers of bytes.
///
/// Each reader takes an option's name and returns its value, or `fallback` if the option is absent
/// or null. Without a fallback, an absent option throws Failure(OMNISTORE_INVALID). So does a value
/// of another type.
///
/// It owns its text and may be copied, moved and kept. Const members may be called on any thread.
class Options {
public:
  /// Throws Failure(OMNISTORE_INVALID) if `json` is not one JSON object.
  explicit Options(std::string_view json) : text_(json) {
    sdk::JsonReader reader(text_);
    for (reader.enter('{'); reader.more('}');) {
      std::string name = reader.name();
      const sdk::JsonValue value = reader.value();
      const auto offset = static_cast<std::size_t>(value.text.data() - text_.data());
      members_.push_back({std::move(name), value.kind, offset, value.text.size()});
    }
    reader.end();
  }

  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Returns the type of an option's value, or null if it is absent.
  Kind kind(std::string_view name) const {
    const Member *member = find(name);
    return member ? member->kind : Kind::null;
  }

  std::string string(std::string_view name, std::optional<std::string_view> fallback = {}) const {
    const Member *member = find(name, Kind::string, fallback.has_value());
    return member ? sdk::JsonReader(text(*member)).string() : std::string(*fallback);
  }
  bool boolean(std::string_view name, std::optional<bool> fallback = {}) const {
    const Member *member = find(name, Kind::boolean, fallback.has_value());
    return member ? text(*member) == "true" : *fallback;
  }
  double number(std::string_view name, std::optional<double> fallback = {}) const {
    const Member *member = find(name, Kind::number, fallback.has_value());
    return member ? to_number(name, text(*member)) : *fallback;
  }
  /// Reads a number without a fraction, such as 5, 5.0 or 5e3.
  std::int64_t integer(std::string_view name, std::optional<std::int64_t> fallback = {}) const {
    const Member *member = find(name, Kind::number, fallback.has_value());
    return member ? to_integer(name, text(*member)) : *fallback;
  }
  std::vector<std::string> strings(std::string_view name,
                                   std::optional<std::vector<std::string>> fallback = {}) const {
    const Member *member = find(name, Kind::array, fallback.has_value());
    if (!member) return *std::move(fallback);
    std::vector<std::string> out;
    each(*member, Kind::string, "strings",
         [&](std::string_view item) { out.push_back(sdk::JsonReader(item).string()); });
    return out;
  }
  std::vector<std::int64_t> integers(std::string_view name,
                                     std::optional<std::vector<std::int64_t>> fallback = {}) const {
    const Member *member = find(name, Kind::array, fallback.has_value());
    if (!member) return *std::move(fallback);
    std::vector<std::int64_t> out;
    each(*member, Kind::number, "integers",
         [&](std::string_view item) { out.push_back(to_integer(name, item)); });
    return out;
  }
  /// Reads an object whose members are all strings, such as HTTP headers.
  std::map<std::string, std::string>
  string_map(std::string_view name,
             std::optional<std::map<std::string, std::string>> fallback = {}) const {
    const Member *member = find(name, Kind::object, fallback.has_value());
    if (!member) return *std::move(fallback);
    std::map<std::string, std::string> out;
    sdk::JsonReader reader(text(*member));
    for (reader.enter('{'); reader.more('}');) {
      std::string key = reader.name();
      const sdk::JsonValue value = reader.value();
      if (value.kind != Kind::string)
        wrong(name, "expected an object of strings, found " + std::string(word(value.kind)) +
                        " at " + key);
      out.insert_or_assign(std::move(key), sdk::JsonReader(value.text).string());
    }
    return out;
  }
  /// Reads an object inside the options; an absent one is empty.
  Options object(std::string_view name) const {
    const Member *member = find(name, Kind::object, true);
    return Options(member ? text(*member) : "{}");
  }
  /// Returns the JSON text of a value, or an empty text if it is absent. It lives as long as these
  /// Options.
  std::string_view raw(std::string_view name) const {
    const Member *member = find(name);
    return member ? text(*member) : std::string_view();
  }

private:
  struct Member {
    std::string name;
    Kind kind;
    std::size_t offset, size; // in text_, so that a copy has its own
  };

  std::string text_;
  std::vector<Member> members_;

  std::string_view text(const Member &member) const {
    return std::string_view(text_).substr(member.offset, member.size);
  }
  /// Finds the last option of that name, as most readers of JSON do. Returns null if there is none
  /// or it is null.
  const Member *find(std::string_view name) const {
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) {
      if (member->name == name) return member->kind == Kind::null ? nullptr : &*member;
    }
    return nullptr;
  }
  const Member *find(std::string_view name, Kind wanted, bool optional) const {
    const Member *member = find(name);
    if (!member && !optional) wrong(name, std::string("it is missing; expected ") + word(wanted));
    if (member && member->kind != wanted) {
      wrong(name, std::string("expected ") + word(wanted) + ", found " + word(member->kind));
    }
    return member;
  }
  template <class F>
  void each(const Member &member, Kind wanted, const char *what, F take) const {
    sdk::JsonReader reader(text(member));
    for (reader.enter('['); reader.more(']');) {
      const sdk::JsonValue item = reader.value();
      if (item.kind != wanted) {
        wrong(member.name, std::string("expected only ") + what + ", found " + word(item.kind));
      }
      take(item.text);
    }
  }

  static const char *word(Kind kind) {
    static constexpr const char *words[] = {"null",     "a boolean", "a number",
                                            "a string", "an array",  "an object"};
    return words[static_cast<int>(kind)];
  }
  [[noreturn]] static void wrong(std::string_view name, const std::string &what) {
    throw Failure(OMNISTORE_INVALID, "option " + std::string(name) + ": " + what);
  }
  static double to_number(std::string_view name, std::string_view text) {
    double number = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc())
      wrong(name, "expected a number in the range of a double, found " + std::string(text));
    return number;
  }
  static std::int64_t to_integer(std::string_view name, std::string_view text) {
    std::int64_t integer = 0;
    const char *end = text.data() + text.size();
    if (const auto [stop, error] = std::from_chars(text.data(), end, integer);
        error == std::errc() && stop == end) {
      return integer;
    }
    const double number = to_number(name, text); // 5.0, 5e3
    constexpr double exact = 9007199254740992.0; // 2^53: beyond it a double skips integers
    if (number != std::floor(number) || std::fabs(number) > exact) {
      wrong(name, "expected an integer of at most 64 bits, found " + std::string(text));
    }
    return static_cast<std::int64_t>(number);
  }
};

} // namespace omnistore
