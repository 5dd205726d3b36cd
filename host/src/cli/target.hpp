// SPDX-License-Identifier: Apache-2.0
// What the commands work on: the stores of a config, opened here, or a running host.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// What was read of a value, and its meta.
struct Kept : Reader {
  char *begin(const Meta &given) override {
    meta = given;
    value.clear();
    return nullptr;
  }
  void write(std::string_view bytes) override { value += bytes; }

  std::string value;
  Meta meta;
};

/// Where events go. event(), limited() and failed() are called on one thread at a time. Its functions must not throw.
class EventSink {
public:
  virtual ~EventSink() = default;
  /// From here on every change is told.
  virtual void begun() = 0;
  virtual void event(const Event &event) = 0;
  /// As WatchOptions::limited.
  virtual void limited(const std::string &message) = 0;
  /// No event will come any more.
  virtual void failed(std::exception_ptr failure) = 0;
};

/// A running watch; destroying it ends it, and returns after the last call of its sink.
class Subscription {
public:
  virtual ~Subscription() = default;
};

/// The part of a Storage that the commands need, with its rules: a miss is a value, a failure an Error.
class Target {
public:
  virtual ~Target() = default;
  /// Its name for messages: the config's file, or the host's URL.
  virtual std::string name() const = 0;
  /// With a range: that part of it; Error(invalid) where it begins behind the value's end.
  virtual bool read(const std::string &key, Reader &reader, const std::optional<http::ByteRange> &range = {}) = 0;
  virtual bool has(const std::string &key) = 0;
  virtual std::optional<Meta> meta(const std::string &key) = 0;
  virtual Stored set(const std::string &key, std::string_view value, const SetOptions &options) = 0;
  /// From a source of `size` bytes; UINT64_MAX: as many as come.
  virtual Stored set(const std::string &key, Source &source, std::uint64_t size, const SetOptions &options) = 0;
  virtual bool touch(const std::string &key, std::chrono::milliseconds ttl) = 0;
  /// An item that a running host found too large for a batch has too_large, and can be read by itself.
  virtual std::vector<EntryOutcome> get(std::span<const std::string> keys) = 0;
  virtual std::vector<Outcome> set(std::span<const SetItem> items) = 0;
  virtual std::vector<Outcome> remove(std::span<const std::string> keys) = 0;
  virtual Page list(const std::string &base, const ListOptions &options) = 0;
  /// How many were removed; nullopt: a running host does not tell.
  virtual std::optional<std::uint64_t> clear(const std::string &base) = 0;
  /// Tells of changes of the key and of all keys under it; of a base that ends in ':' perhaps of the latter alone.
  virtual std::unique_ptr<Subscription> watch(const std::string &base, EventSink &sink) = 0;
  /// Which stores a get of the key asks, and what each answers, as the admin listener has it (server/describe.hpp).
  virtual boost::json::object explain(const std::string &key) = 0;
  /// {"mounts": [...]}, as the admin listener has it.
  virtual boost::json::object mounts() = 0;
};

std::unique_ptr<Target> open_local(const Global &global);
std::unique_ptr<Target> open_remote(const Global &global);
inline std::unique_ptr<Target> open_target(const Global &global) {
  return global.remote() ? open_remote(global) : open_local(global);
}

} // namespace omnistore::cli
