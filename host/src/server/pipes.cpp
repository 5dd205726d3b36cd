// SPDX-License-Identifier: Apache-2.0
#include "server/pipes.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace omnistore::server {

bool BodyPipe::give(Buffer &piece) {
  const std::lock_guard lock(mutex_);
  if (!piece_.empty()) {
    refused_ = true;
    return false;
  }
  piece_.swap(piece);
  changed_.notify_one();
  return true;
}

void BodyPipe::finish() {
  const std::lock_guard lock(mutex_);
  finished_ = true;
  changed_.notify_one();
}

bool BodyPipe::read_whole() {
  const std::lock_guard lock(mutex_);
  return finished_ && piece_.empty();
}

void BodyPipe::fail(std::exception_ptr failure) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
  changed_.notify_one();
}

std::size_t BodyPipe::read(char *into, std::size_t capacity) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !piece_.empty() || finished_ || failure_; });
  if (failure_) std::rethrow_exception(failure_);
  const std::size_t size = std::min(capacity, piece_.size() - read_);
  if (size == 0) return 0;
  std::memcpy(into, piece_.data() + read_, size);
  read_ += size;
  if (read_ < piece_.size()) return size;
  piece_.truncate(0);
  read_ = 0;
  if (!std::exchange(refused_, false)) return size;
  lock.unlock();
  drained_();
  return size;
}

bool AnswerPipe::enter() {
  if (!counted_) driver_piece_.add(stream_piece);
  counted_ = true;
  return entered_ || (entered_ = enter_());
}

void AnswerPipe::give(Buffer &piece) {
  used_ = true;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return piece_.empty() || abandoned_; });
    if (abandoned_) throw Error(Status::unavailable, "the client went away");
    piece_.swap(piece);
  }
  ready_();
}

bool AnswerPipe::take(Buffer &out) {
  const std::lock_guard lock(mutex_);
  if (piece_.empty()) return false;
  piece_.swap(out);
  changed_.notify_one();
  return true;
}

void AnswerPipe::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  changed_.notify_one();
}

} // namespace omnistore::server
