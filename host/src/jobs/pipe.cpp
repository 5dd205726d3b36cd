// SPDX-License-Identifier: Apache-2.0
#include "jobs/pipe.hpp"

#include <algorithm>
#include <cstring>

namespace omnistore::jobs {

char *Pipe::begin(const Meta &meta) {
  const std::lock_guard lock(mutex_);
  // If a layer's first child fails half way, the layer begins again with the next one. The bytes before cannot be
  // undone.
  if (begun_ && (size_ != 0 || !piece_.empty())) throw Error(Status::io, "the store failed halfway and began again");
  meta_ = meta;
  begun_ = found_ = true;
  changed_.notify_all();
  return nullptr;
}

void Pipe::write(std::string_view bytes) {
  constexpr std::size_t most = 256 * 1024;
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, most);
    bytes.remove_prefix(piece.size());
    passing_(piece.size());
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return at_ == piece_.size() || abandoned_; });
    if (abandoned_) throw Error(Status::unavailable, "no thread reads the value any more");
    piece_.assign(piece);
    at_ = 0;
    changed_.notify_all();
  }
}

void Pipe::finish(bool found) {
  const std::lock_guard lock(mutex_);
  begun_ = finished_ = true;
  found_ = found;
  changed_.notify_all();
}

void Pipe::fail(std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  begun_ = finished_ = true;
  failure_ = std::move(failure);
  changed_.notify_all();
}

bool Pipe::begun(Meta &meta) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return begun_; });
  if (failure_) std::rethrow_exception(failure_);
  meta = meta_;
  return found_;
}

std::size_t Pipe::read(char *into, std::size_t capacity) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return at_ < piece_.size() || finished_; });
  if (failure_) std::rethrow_exception(failure_);
  const std::size_t size = std::min(capacity, piece_.size() - at_);
  std::memcpy(into, piece_.data() + at_, size);
  at_ += size;
  size_ += size;
  if (at_ == piece_.size()) changed_.notify_all();
  lock.unlock();
  digest_.add({into, size});
  return size;
}

void Pipe::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_all();
}

} // namespace omnistore::jobs
