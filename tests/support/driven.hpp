// SPDX-License-Identifier: Apache-2.0
// Drives a driver in tests by its C table like a host, but without the host's additions.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/ext/health.h>
#include <omnistore/testing.hpp>

namespace test {

using omnistore::testing::StatusError;
using Call = omnistore::testing::BareCall;
using Keys = std::vector<std::string>;

/// The result of a get or stat, and its form.
struct Got : omnistore_sink {
  std::string bytes, etag, user;
  std::uint64_t value_size = 0;
  std::int64_t mtime = 0, expiry = 0;
  int begun = 0, writes = 0;
  bool offers_buffer = true; ///< if the size is known
  std::function<omnistore_status()> on_write = [] { return OMNISTORE_OK; };

  Got() : omnistore_sink{sizeof(omnistore_sink), 0, nullptr, nullptr, nullptr} {
    begin = [](omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
      Got &got = *static_cast<Got *>(sink);
      ++got.begun;
      got.value_size = meta->value_size, got.mtime = meta->mtime, got.expiry = meta->expiry;
      got.etag = omnistore::as_view(meta->etag);
      got.user = omnistore::as_view(meta->user);
      if (!buffer) return OMNISTORE_OK;
      const bool offers = got.offers_buffer && meta->value_size != OMNISTORE_UNKNOWN_SIZE;
      if (offers) got.room_.assign(meta->value_size + 1, '?');
      *buffer = offers ? got.room_.data() : nullptr;
      return OMNISTORE_OK;
    };
    write = [](omnistore_sink *sink, const void *data, std::uint64_t count) {
      Got &got = *static_cast<Got *>(sink);
      ++got.writes;
      got.bytes.append(static_cast<const char *>(data), count);
      return got.on_write();
    };
  }
  Got(const Got &) = delete;
  Got &operator=(const Got &) = delete;

private:
  std::string room_;
};

/// A value that comes in pieces; at its end it may fail.
struct Pieces : omnistore_source {
  std::vector<std::string> pieces;
  omnistore_status end;
  std::size_t next = 0, at = 0;

  explicit Pieces(std::vector<std::string> given, omnistore_status at_end = OMNISTORE_OK)
      : omnistore_source{sizeof(omnistore_source), 0, nullptr}, pieces(std::move(given)), end(at_end) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t capacity, std::uint64_t *count) {
      Pieces &self = *static_cast<Pieces *>(source);
      *count = 0;
      if (self.next == self.pieces.size()) return self.end;
      const std::string &piece = self.pieces[self.next];
      *count = piece.copy(static_cast<char *>(buffer), static_cast<std::size_t>(capacity), self.at);
      self.at += static_cast<std::size_t>(*count);
      if (self.at == piece.size()) ++self.next, self.at = 0;
      return OMNISTORE_OK;
    };
  }
};

/// A page of a listing, or what a clear removed.
struct Page : omnistore_page {
  struct Item {
    std::string key;
    std::optional<std::pair<std::uint64_t, std::int64_t>> meta; ///< size and expiry
  };
  std::vector<Item> items;
  std::string cursor;

  std::vector<omnistore::Skip> skipped;

  Page() : omnistore_page{sizeof(omnistore_page), 0, nullptr, nullptr, nullptr} {
    emit = [](omnistore_page *page, omnistore_bytes key, const omnistore_meta *meta) {
      Item &item = static_cast<Page *>(page)->items.emplace_back();
      item.key = omnistore::as_view(key);
      if (meta) item.meta = {meta->value_size, meta->expiry};
      return OMNISTORE_OK;
    };
    next = [](omnistore_page *page, omnistore_bytes text) {
      static_cast<Page *>(page)->cursor = omnistore::as_view(text);
    };
    skip = [](omnistore_page *page, omnistore_bytes base, omnistore_status status, omnistore_bytes message) {
      static_cast<Page *>(page)->skipped.push_back(
          {std::string(omnistore::as_view(base)), status, std::string(omnistore::as_view(message))});
      return OMNISTORE_OK;
    };
  }
  Keys keys() const {
    Keys keys;
    for (const Item &item : items) keys.push_back(item.key);
    return keys;
  }
};

/// The options of a set that is not the plain one.
struct How {
  std::int64_t expiry = 0;
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string_view etag = {};
  std::string_view user = {};
};

/// A driver's store. Any thread may call it. Members return the driver's status unless they say otherwise.
class Driven {
public:
  omnistore_traits traits; ///< the driver's, and what it changed when the store was opened

  explicit Driven(const omnistore_driver &driver) : traits(*driver.traits), driver_(driver) {}
  Driven(const Driven &) = delete;
  Driven &operator=(const Driven &) = delete;
  ~Driven() { close(); }

  /// Throws StatusError. The host must be there until the store is closed.
  void open(const omnistore_host &host, std::string_view options) {
    omnistore_open_request request{};
    request.size = sizeof request;
    request.options = omnistore::as_bytes(options);
    Call call;
    if (const auto status = driver_.open(&host, &call, &request, &traits, &self_); status != OMNISTORE_OK)
      throw StatusError(status, call.message());
  }
  void close() {
    if (self_) driver_.close(std::exchange(self_, nullptr));
  }

  static omnistore_set_request set_request(std::string_view value, const How &how = {}) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.value = omnistore::as_bytes(value);
    request.expiry = how.expiry;
    request.condition = how.condition;
    request.etag = omnistore::as_bytes(how.etag);
    request.user = omnistore::as_bytes(how.user);
    return request;
  }
  omnistore_status set(std::string_view key, std::string_view value, How how = {}, omnistore_sink *result = nullptr) {
    return set(key, set_request(value, how), result);
  }
  omnistore_status set(std::string_view key, Pieces &source, std::uint64_t size = OMNISTORE_UNKNOWN_SIZE) {
    omnistore_set_request request = set_request({});
    request.source = &source;
    request.source_size = size;
    return set(key, request, nullptr);
  }
  omnistore_status get(std::string_view key, Got &into, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX,
                       std::uint32_t flags = OMNISTORE_GET_META) {
    Call call;
    return get(call, key, into, offset, length, flags);
  }
  omnistore_status get(Call &call, std::string_view key, Got &into, std::uint64_t offset = 0,
                       std::uint64_t length = UINT64_MAX, std::uint32_t flags = OMNISTORE_GET_META) {
    const omnistore_get_request request{sizeof request, flags, offset, length};
    return kept(call, driver_.get(self_, &call, omnistore::as_bytes(key), &request, &into));
  }
  /// Returns the value, or nothing if the key has none. Throws StatusError.
  std::optional<std::string> get(std::string_view key) {
    Got got;
    const auto status = get(key, got, 0, UINT64_MAX, 0);
    if (status == OMNISTORE_NOT_FOUND) return {};
    if (status != OMNISTORE_OK) throw StatusError(status, message());
    return got.bytes;
  }
  omnistore_status stat(std::string_view key, Got &into, std::uint32_t flags = OMNISTORE_GET_META) {
    const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
    Call call;
    return kept(call, driver_.stat(self_, &call, omnistore::as_bytes(key), &request, &into));
  }
  std::string etag(std::string_view key) {
    Got got;
    stat(key, got);
    return got.etag;
  }
  omnistore_status remove(std::string_view key, std::uint32_t condition = OMNISTORE_ALWAYS,
                          std::string_view etag = "") {
    const omnistore_remove_request request{sizeof request, 0, condition, 0, omnistore::as_bytes(etag)};
    Call call;
    return kept(call, driver_.remove(self_, &call, omnistore::as_bytes(key), &request));
  }
  omnistore_status touch(std::string_view key, std::int64_t expiry) {
    const omnistore_touch_request request{sizeof request, OMNISTORE_TOUCH_EXPIRY, expiry, {}};
    Call call;
    return kept(call, driver_.touch(self_, &call, omnistore::as_bytes(key), &request));
  }
  /// The value's user meta; empty: none, or no value. Throws StatusError.
  std::string user(std::string_view key) {
    Got got;
    const auto status = stat(key, got, OMNISTORE_GET_USER);
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) throw StatusError(status, message());
    return got.user;
  }
  omnistore_status touch_user(std::string_view key, std::string_view user) {
    const omnistore_touch_request request{sizeof request, OMNISTORE_TOUCH_USER, 0, omnistore::as_bytes(user)};
    Call call;
    return kept(call, driver_.touch(self_, &call, omnistore::as_bytes(key), &request));
  }
  omnistore_status page(Page &into, std::string_view base, std::uint32_t limit, std::string_view cursor,
                        std::uint32_t depth = OMNISTORE_ANY_DEPTH, std::uint32_t flags = 0, std::string_view start = {},
                        std::string_view end = {}) {
    omnistore_list_request request{};
    request.size = sizeof request;
    request.flags = flags;
    request.base = omnistore::as_bytes(base);
    request.depth = depth;
    request.limit = limit;
    request.cursor = omnistore::as_bytes(cursor);
    request.start = omnistore::as_bytes(start);
    request.end = omnistore::as_bytes(end);
    Call call;
    return kept(call, driver_.list(self_, &call, &request, &into));
  }
  /// All names of a listing, page by page. Throws StatusError.
  Keys list(std::string_view base = "", std::uint32_t depth = OMNISTORE_ANY_DEPTH, std::uint32_t limit = 100,
            std::uint32_t flags = 0, std::string_view start = {}, std::string_view end = {}) {
    Keys keys;
    std::string cursor;
    do {
      Page into;
      if (const auto status = page(into, base, limit, cursor, depth, flags, start, end); status != OMNISTORE_OK)
        throw StatusError(status, "list: " + message());
      for (Page::Item &item : into.items) keys.push_back(std::move(item.key));
      cursor = into.cursor;
    } while (!cursor.empty());
    return keys;
  }
  omnistore_status clear(std::string_view base = "", Page *removed = nullptr) {
    const omnistore_clear_request request{sizeof request, 0, omnistore::as_bytes(base)};
    Call call;
    return kept(call, driver_.clear(self_, &call, &request, removed));
  }

  /// The driver must have the extension omnistore.health/1.
  omnistore_status health() {
    const void *found = driver_.extension ? driver_.extension(self_, OMNISTORE_HEALTH) : nullptr;
    if (!found) throw StatusError(OMNISTORE_UNSUPPORTED, "the driver has no health check");
    Call call;
    return kept(call, static_cast<const omnistore_health *>(found)->health(self_, &call));
  }

  /// That of the last failure.
  std::string message() {
    const std::lock_guard guard(lock_);
    return message_;
  }
  const omnistore_driver &driver() const { return driver_; }
  void *self() const { return self_; }

private:
  omnistore_status set(std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    Call call;
    return kept(call, driver_.set(self_, &call, omnistore::as_bytes(key), &request, result));
  }
  omnistore_status kept(const Call &call, omnistore_status status) {
    if (call.messages.empty()) return status;
    const std::lock_guard guard(lock_);
    message_ = call.message();
    return status;
  }

  const omnistore_driver &driver_;
  void *self_ = nullptr;
  std::mutex lock_;
  std::string message_;
};

/// "name":"text", for options.
inline std::string option(std::string_view name, std::string_view text) {
  return "\"" + std::string(name) + "\":\"" + std::string(text) + "\"";
}

/// Returns bytes of all kinds, other ones for each seed.
inline std::string bytes_of(std::size_t size, unsigned seed = 1) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 257 + seed) & 0xff);
  return bytes;
}

/// Returns true when the condition holds, and false if it does not within 30 seconds. It is for changes that another
/// process makes in its own time, and of which it notifies nobody.
template <class Condition>
bool eventually(Condition holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

} // namespace test
