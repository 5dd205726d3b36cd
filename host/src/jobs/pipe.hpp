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

/// Carries one long value from one storage to another, a piece at a time: one thread reads into this Reader, and
/// another sets from this Source. Each waits for the other.
class Pipe final : public Reader, public Source {
public:
  /// `passing` is called on the reading thread with the size of each piece. It may wait.
  explicit Pipe(std::function<void(std::size_t)> passing) : passing_(std::move(passing)) {}

  // On the reading thread.
  char *begin(const Meta &meta) override;
  /// Throws if abandon() was called.
  void write(std::string_view bytes) override;
  /// Ends the value; with false, there is no such value.
  void finish(bool found);
  void fail(std::exception_ptr failure);

  // On the setting thread.
  /// Waits until the value has begun. Returns false if there is no such value. Throws the exception of the reader.
  bool begun(Meta &meta);
  std::size_t read(char *into, std::size_t capacity) override;
  /// Stops the reader, since no thread reads from the pipe any more.
  void abandon();
  /// The digest and the size of the value, after all of it was read.
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
  Digest digest_; ///< only the setting thread uses this and size_
  std::uint64_t size_ = 0;
};

} // namespace omnistore::jobs
