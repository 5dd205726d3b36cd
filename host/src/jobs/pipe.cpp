// SPDX-License-Identifier: Apache-2.0
#include "jobs/pipe.hpp"

#include <utility>

namespace omnistore::jobs {

char *Pipe::begin(const Meta &meta) {
  is_begun_ = true;
  begun_.set_value(meta);
  return nullptr;
}

void Pipe::write(std::string_view bytes) {
  constexpr std::size_t most = 256 * 1024;
  while (!bytes.empty()) {
    piece_.assign(bytes.substr(0, most));
    bytes.remove_prefix(piece_.size());
    passing_(piece_.size());
    if (!channel_.give(piece_)) throw Error(Status::unavailable, "no thread reads the value any more");
  }
}

void Pipe::finish(bool found) {
  if (!std::exchange(is_begun_, true)) begun_.set_value(found ? std::optional(Meta()) : std::nullopt);
  channel_.finish();
}

void Pipe::fail(std::exception_ptr failure) {
  if (!std::exchange(is_begun_, true)) begun_.set_exception(failure);
  channel_.fail(std::move(failure));
}

std::size_t Pipe::read(char *into, std::size_t capacity) {
  bool made_room = false;
  const std::size_t size = channel_.read(into, capacity, made_room);
  digest_.add({into, size});
  size_ += size;
  return size;
}

} // namespace omnistore::jobs
