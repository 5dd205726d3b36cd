// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

#include "jobs/digest.hpp"

namespace omnistore::jobs {

/// A long value on its way from one storage to another, a piece at a time: one thread reads it into this Reader,
/// another sets it from this Source, and whoever is ahead waits. One value, once.
class Pipe final : public Reader, public Source {
public:
  /// `passing` is called, on the reading thread, with the size of each piece; may wait.
  explicit Pipe(std::function<void(std::size_t)> passing) : passing_(std::move(passing)) {}

  // The reading thread.
  char *begin(const Meta &meta) override;
  /// Throws where abandon() was called.
  void write(std::string_view bytes) override;
  /// All has been written; or, false, there is no such value.
  void finish(bool found);
  void fail(std::exception_ptr failure);

  // The setting thread.
  /// Waits until it has begun. False: there is no such value. Throws what the reading failed with.
  bool begun(Meta &meta);
  std::size_t read(char *into, std::size_t capacity) override;
  /// Nobody reads any more.
  void abandon();
  /// Of what was read, once that is all of it.
  std::string digest() const { return digest_.hex(); }
  std::uint64_t size() const { return size_; }

private:
  const std::function<void(std::size_t)> passing_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false, finished_ = false, found_ = false, abandoned_ = false;
  Meta meta_;
  std::string piece_;
  std::size_t at_ = 0;
  std::exception_ptr failure_;
  Digest digest_; ///< for the setting thread alone, as size_
  std::uint64_t size_ = 0;
};

} // namespace omnistore::jobs
