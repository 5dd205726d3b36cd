// SPDX-License-Identifier: Apache-2.0
// The sinks of values on their way out of a Storage.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <string>

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

#include "base/in_flight.hpp"
#include "storage/key_space.hpp"

namespace omnistore {

/// Returns how many bytes of a value will come for the requested range; UINT64_MAX if that is not known.
inline std::uint64_t expected(const omnistore_meta &meta, const GetOptions &options) {
  if (meta.value_size == OMNISTORE_UNKNOWN_SIZE) return UINT64_MAX;
  return std::min(options.length, meta.value_size - std::min(options.offset, meta.value_size));
}

/// Takes a value into a string; with `meta`, its meta too. The sinks here are only given to Stores, which check how a
/// driver uses them and catch their exceptions.
class StringSink : public omnistore_sink {
public:
  /// The bytes that the sinks that share it may still take. A refusal by one of them is no failure of the store.
  struct Room {
    std::atomic<std::uint64_t> &left;
    GivingUp &giving_up;
  };
  StringSink(std::string &text, const GetOptions &options, Meta *meta = nullptr, const Room *room = nullptr)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, text_(text), options_(options), meta_(meta),
        room_(room) {}

  std::uint64_t taken() const { return taken_; }

private:
  /// The most room that is made at once, since the bytes may never come.
  static constexpr std::uint64_t most_at_once = std::uint64_t{64} << 20;

  bool fits(std::uint64_t count) {
    if (!room_) return true;
    std::uint64_t left = room_->left.load(std::memory_order_relaxed);
    do {
      if (count > left) {
        room_->giving_up.give_up();
        return false;
      }
    } while (!room_->left.compare_exchange_weak(left, left - count, std::memory_order_relaxed));
    return true;
  }
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<StringSink *>(sink);
    if (self.meta_) *self.meta_ = to_meta(*meta);
    self.taken_ = 0;
    const std::uint64_t size = expected(*meta, self.options_);
    if (size != UINT64_MAX && !self.fits(size)) return OMNISTORE_TOO_LARGE;
    self.expected_ = size;
    self.placed_ = size <= most_at_once;
    self.text_.resize(self.placed_ ? static_cast<std::size_t>(size) : 0);
    if (buffer) *buffer = self.placed_ ? self.text_.data() : nullptr;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) {
    auto &self = *static_cast<StringSink *>(sink);
    if (!self.placed_) {
      const bool counted = self.expected_ != UINT64_MAX;
      if (!counted && !self.fits(size)) return OMNISTORE_TOO_LARGE;
      self.text_.append(static_cast<const char *>(data), static_cast<std::size_t>(size));
    } else {
      char *place = self.text_.data() + self.taken_;
      if (data != place && size != 0) std::memcpy(place, data, static_cast<std::size_t>(size));
    }
    self.taken_ += size;
    return OMNISTORE_OK;
  }

  std::string &text_;
  const GetOptions &options_;
  Meta *meta_;
  const Room *room_;
  std::uint64_t expected_ = UINT64_MAX, taken_ = 0;
  bool placed_ = false; ///< the string has the value's size already
};

/// Takes only the meta.
class MetaSink : public omnistore_sink {
public:
  explicit MetaSink(Meta &meta) : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, nullptr}, meta_(meta) {}

private:
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    static_cast<MetaSink *>(sink)->meta_ = to_meta(*meta);
    if (buffer) *buffer = nullptr;
    return OMNISTORE_OK;
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *, const void *, std::uint64_t) { return OMNISTORE_OK; }
  Meta &meta_;
};

/// Hands a value to a Reader. An exception of the reader must not pass through the driver, so rethrow() throws it
/// later.
class ReaderSink : public omnistore_sink {
public:
  ReaderSink(Reader &reader, const GetOptions &options, HostCall &call)
      : omnistore_sink{sizeof(omnistore_sink), 0, begin_, write_, reader.borrows() ? lend_ : nullptr}, reader_(reader),
        options_(options), call_(call) {}

  std::uint64_t taken() const { return taken_; }
  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

private:
  template <typename Function>
  omnistore_status kept(Function function) {
    try {
      return function();
    } catch (...) {
      thrown_ = std::current_exception();
      giving_up_.give_up();
      return OMNISTORE_INTERNAL;
    }
  }
  static omnistore_status OMNISTORE_CALL begin_(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
    auto &self = *static_cast<ReaderSink *>(sink);
    return self.kept([&] {
      self.expected_ = expected(*meta, self.options_);
      const base::ClientWait waits;
      if (!buffer && self.lend) {
        self.reader_.begin_without_place(to_meta(*meta));
        return OMNISTORE_OK;
      }
      self.place_ = self.reader_.begin(to_meta(*meta));
      if (buffer) *buffer = self.expected_ == UINT64_MAX ? nullptr : self.place_;
      return OMNISTORE_OK;
    });
  }
  static omnistore_status OMNISTORE_CALL write_(omnistore_sink *sink, const void *data, std::uint64_t size) {
    auto &self = *static_cast<ReaderSink *>(sink);
    return self.kept([&]() -> omnistore_status {
      const char *place = self.place_ ? self.place_ + self.taken_ : nullptr;
      if (!place) {
        const base::ClientWait waits;
        self.reader_.write({static_cast<const char *>(data), static_cast<std::size_t>(size)});
        self.call_.renew();
      } else if (data != place && size != 0) {
        std::memcpy(self.place_ + self.taken_, data, static_cast<std::size_t>(size));
      }
      self.taken_ += size;
      return OMNISTORE_OK;
    });
  }

  static omnistore_status OMNISTORE_CALL lend_(omnistore_sink *sink, const void *data, std::uint64_t size,
                                               const omnistore_loan *loan) {
    auto &self = *static_cast<ReaderSink *>(sink);
    return self.kept([&]() -> omnistore_status {
      struct Release {
        omnistore_loan loan;
        bool taken;
      };
      // Made first, so that nothing can fail once the reader has it.
      const auto held = std::make_shared<Release>(Release{*loan, false});
      std::shared_ptr<const void> lent(data, [held](const void *) {
        if (held->taken) held->loan.release(held->loan.owner, held->loan.item);
      });
      self.reader_.borrow({static_cast<const char *>(data), static_cast<std::size_t>(size)}, lent);
      held->taken = true;
      self.taken_ = size;
      return OMNISTORE_OK;
    });
  }

  Reader &reader_;
  const GetOptions &options_;
  HostCall &call_;
  char *place_ = nullptr;
  std::uint64_t expected_ = UINT64_MAX, taken_ = 0;
  std::exception_ptr thrown_;
  GivingUp giving_up_;
};

} // namespace omnistore
