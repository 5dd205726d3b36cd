// SPDX-License-Identifier: Apache-2.0
// A value on its way into the database. A slow writer must not delay the others, so a long value that comes from a
// source waits in a file until it is whole.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

namespace sqlite {

class Incoming {
public:
  Incoming() = default;
  Incoming(const Incoming &) = delete;
  Incoming &operator=(const Incoming &) = delete;
  ~Incoming();

  /// Takes the request's value, or reads its source to the end. The file, which has no name, lies in `folder`. Returns
  /// the source's status if it fails; throws Failure.
  omnistore_status gather(omnistore::Call call, const omnistore_set_request &request, const std::string &folder);

  bool in_memory() const { return file_ < 0; }
  /// The value, if it is in memory; it may lie in the request.
  std::string_view bytes() const { return bytes_; }
  std::uint64_t size() const { return in_memory() ? bytes_.size() : size_; }
  /// Returns true if the bytes in memory are well-formed UTF-8 without NUL.
  bool is_text() const;
  /// A part of a value that is in the file.
  void read(void *into, std::size_t count, std::uint64_t from) const;

private:
  void move_to_file(const std::string &folder);
  void append(const char *data, std::size_t count);

  std::string own_;
  std::string_view bytes_;
  int file_ = -1;
  std::uint64_t size_ = 0; ///< of the file
};

} // namespace sqlite
