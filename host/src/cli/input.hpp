// SPDX-License-Identifier: Apache-2.0
// The input of a command: a file, or standard input.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore::cli {

/// An open file. Throws Failure(invalid) if it cannot be opened or read.
class Input : public Source {
public:
  /// "-": standard input.
  explicit Input(const std::string &file);
  ~Input() override;
  Input(const Input &) = delete;
  Input &operator=(const Input &) = delete;

  std::size_t read(char *into, std::size_t capacity) override;
  /// How much is still to be read of a regular file; UINT64_MAX: of anything else.
  std::uint64_t left() const;

private:
  int descriptor_;
  std::string name_;
};

/// The lines of an input, one JSON value or key each. Empty ones are passed over, and so is a byte order mark.
class Lines {
public:
  /// `null`: each ends with a NUL, and is a key as it stands.
  explicit Lines(const std::string &file, bool null = false)
      : input_(file), name_(file == "-" ? "standard input" : file), end_(null ? '\0' : '\n') {}

  /// Returns false after the last one.
  bool next(std::string &line);
  /// Reads a key in the form of base::key_text(): the line itself, or a JSON string; or the "key" of a JSON object.
  /// Returns false after the last one.
  bool next_key(std::string &key);
  /// Reads {"key": ..., "value": ... or "base64": ..., "ttl": ...}. Returns false after the last one.
  bool next_item(SetItem &item);

private:
  [[noreturn]] void malformed(const std::string &expected) const;
  void skip_byte_order_mark();

  Input input_;
  std::string name_;
  const char end_;
  std::string held_;   ///< bytes that were read and belong to no line yet
  std::size_t at_ = 0; ///< the place at which the next line begins
  std::size_t number_ = 0;
  bool ended_ = false;
};

} // namespace omnistore::cli
