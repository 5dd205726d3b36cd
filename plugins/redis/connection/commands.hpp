// SPDX-License-Identifier: Apache-2.0
// Commands in the format of the wire, one after the other.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace redis {

/// The parts of a key of Redis. They are joined only when they are written.
struct KeyParts {
  std::string_view front, back, end = {}, before = {};
};

/// Some commands that one server must run together: a single command, or MULTI, EXEC and what is between.
struct Unit {
  std::size_t from;    ///< its first byte
  std::uint32_t first; ///< its first command
  std::uint16_t slot;
};

class Commands {
public:
  /// The following commands are for keys of this slot of a cluster. Without it there are no units.
  void route(std::uint16_t slot) {
    slot_ = slot;
    routed_ = true;
  }
  /// Makes room for so many units, and bytes.
  void reserve(std::size_t units, std::size_t bytes) {
    units_.reserve(units);
    bytes_.reserve(bytes);
  }
  /// Begins a command of so many words, including its name. The caller then calls word() as often.
  void begin(std::size_t words) {
    if (routed_ && !in_transaction_) units_.push_back({bytes_.size(), count_, slot_});
    head('*', words);
    ++count_;
  }
  void word(std::string_view text) { word(KeyParts{text, {}}); }
  void word(const KeyParts &text) {
    head('$', text.before.size() + text.front.size() + text.back.size() + text.end.size());
    bytes_.append(text.before).append(text.front).append(text.back).append(text.end).append("\r\n");
  }
  void word(std::integral auto number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    word(std::string_view(digits, static_cast<std::size_t>(end - digits)));
  }

  /// Adds a whole command.
  template <class... Words>
  Commands &add(const Words &...words) {
    begin(sizeof...(Words));
    (word(words), ...);
    return *this;
  }

  Commands &multi() {
    add("MULTI");
    in_transaction_ = true;
    return *this;
  }
  Commands &exec() {
    add("EXEC");
    in_transaction_ = false;
    return *this;
  }

  std::uint32_t count() const { return count_; }
  const std::vector<Unit> &units() const { return units_; }
  bool empty() const { return count_ == 0; }
  std::string &bytes() { return bytes_; }

private:
  void head(char sign, std::size_t number) {
    char text[24] = {sign};
    char *end = std::to_chars(text + 1, text + 22, number).ptr;
    *end++ = '\r';
    *end++ = '\n';
    bytes_.append(text, static_cast<std::size_t>(end - text));
  }

  std::string bytes_;
  std::uint32_t count_ = 0;
  std::vector<Unit> units_;
  std::uint16_t slot_ = 0;
  bool routed_ = false, in_transaction_ = false;
};

} // namespace redis
