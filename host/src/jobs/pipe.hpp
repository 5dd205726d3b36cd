// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>

#include <omnistore/storage.hpp>

#include "base/piece_channel.hpp"
#include "jobs/digest.hpp"

namespace omnistore::jobs {

/// Carries one long value from one storage to another. One thread reads the value into this Reader, and another one
/// sets it from this Source. Each waits for the other.
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
  /// Waits until the value begins, and returns its meta, or nullopt if there is no value. Throws the failure of the
  /// read. To be called once.
  std::optional<Meta> begun() { return begun_.get_future().get(); }
  std::size_t read(char *into, std::size_t capacity) override;
  /// Stops the reading thread, since no thread reads from the pipe any more.
  void abandon() { channel_.abandon(); }
  /// The digest and the size of the bytes that read() has given.
  std::string digest() const { return digest_.hex(); }
  std::uint64_t size() const { return size_; }

private:
  const std::function<void(std::size_t)> passing_;
  base::PieceChannel<std::string> channel_;
  std::promise<std::optional<Meta>> begun_;
  // For the reading thread alone.
  bool is_begun_ = false;
  std::string piece_;
  // Only the setting thread uses these.
  Digest digest_;
  std::uint64_t size_ = 0;
};

} // namespace omnistore::jobs
