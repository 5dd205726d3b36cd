// SPDX-License-Identifier: Apache-2.0
// The least that a host is, without any of the host's code: what the tests of the SDK open drivers with.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/driver.h>

namespace test {

/// A call that keeps the messages given to it, by item.
struct BareCall : omnistore_call {
  std::map<std::uint32_t, std::string> messages;
  std::int64_t left = INT64_MAX;

  BareCall() : omnistore_call{sizeof(omnistore_call), 0, &remaining_, &fail_} {}
  std::string message() const { return messages.contains(0) ? messages.at(0) : std::string(); }

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) {
    return static_cast<const BareCall *>(call)->left;
  }
  static void OMNISTORE_CALL fail_(omnistore_call *call, std::uint32_t item, omnistore_bytes message) {
    static_cast<BareCall *>(call)->messages[item] = omnistore::as_view(message);
  }
};

/// A host whose clock stands where the test sets it, and that keeps what is logged.
struct BareHost : omnistore_host {
  std::int64_t time = 1'700'000'000'000;
  mutable std::vector<std::string> lines;

  BareHost()
      : omnistore_host{sizeof(omnistore_host),
                       OMNISTORE_ABI_MAJOR,
                       OMNISTORE_ABI_MINOR,
                       0,
                       &log_,
                       &now_,
                       &submit_,
                       &event_,
                       &extension_} {}

private:
  static void OMNISTORE_CALL log_(const omnistore_host *host, std::uint32_t, omnistore_bytes message) {
    static_cast<const BareHost *>(host)->lines.emplace_back(omnistore::as_view(message));
  }
  static std::int64_t OMNISTORE_CALL now_(const omnistore_host *host) {
    return static_cast<const BareHost *>(host)->time;
  }
  static omnistore_status OMNISTORE_CALL submit_(const omnistore_host *, omnistore_task, void *, std::uint64_t) {
    return OMNISTORE_UNAVAILABLE;
  }
  static void OMNISTORE_CALL event_(const omnistore_host *, const omnistore_event *) {}
  static const void *OMNISTORE_CALL extension_(const omnistore_host *, const char *) { return nullptr; }
};

/// A driver that did not do what was asked: its status and message.
struct Refused : std::runtime_error {
  omnistore_status status;
  Refused(omnistore_status s, const std::string &message) : std::runtime_error(message), status(s) {}
};

/// An opened store, called through the C table alone.
class BareStore {
public:
  explicit BareStore(const omnistore_driver &driver, std::string_view options = "{}",
                     std::span<const omnistore_store *const> children = {})
      : traits_(*driver.traits), store_{sizeof(omnistore_store), 0, &driver, &traits_, nullptr} {
    const omnistore_open_request request{sizeof request,
                                         0,
                                         omnistore::as_bytes(options),
                                         children.data(),
                                         static_cast<std::uint32_t>(children.size()),
                                         0};
    BareCall call;
    check(driver.open(&host_, &call, &request, &traits_, &store_.self), call);
  }
  BareStore(const BareStore &) = delete;
  BareStore &operator=(const BareStore &) = delete;
  ~BareStore() { store_.driver->close(store_.self); }

  std::optional<std::string> get(std::string_view key) {
    omnistore::ValueSink sink;
    BareCall call;
    const omnistore_status status = child().read(omnistore::Call(&call), key, sink);
    if (status == OMNISTORE_NOT_FOUND) return {};
    check(status, call);
    return sink.bytes;
  }
  std::optional<omnistore_meta> stat(std::string_view key) {
    omnistore::ValueSink sink;
    BareCall call;
    const omnistore_status status = child().stat(omnistore::Call(&call), key, whole_, sink);
    if (status == OMNISTORE_NOT_FOUND) return {};
    check(status, call);
    return omnistore::make_meta(sink.value_size, sink.mtime, sink.expiry);
  }
  void set(std::string_view key, std::string_view value) {
    BareCall call;
    check(child().write(omnistore::Call(&call), key, value), call);
  }
  bool remove(std::string_view key) {
    BareCall call;
    const omnistore_status status = child().remove(omnistore::Call(&call), key);
    if (status == OMNISTORE_NOT_FOUND) return false;
    check(status, call);
    return true;
  }

  struct Page {
    std::vector<std::string> keys;
    std::string cursor;
  };
  Page list(std::string_view base, std::uint32_t limit, std::string_view cursor = {},
            std::uint32_t depth = OMNISTORE_ANY_DEPTH) {
    Page page;
    omnistore::PageSink sink([&](std::string_view key, const omnistore_meta *) {
      page.keys.emplace_back(key);
      return OMNISTORE_OK;
    });
    const omnistore_list_request request{sizeof request, 0,     omnistore::as_bytes(base),
                                         depth,          limit, omnistore::as_bytes(cursor)};
    BareCall call;
    check(child().list(omnistore::Call(&call), request, sink), call);
    page.cursor = sink.cursor;
    return page;
  }
  /// Every key under a base, by pages of `limit`.
  std::vector<std::string> keys(std::string_view base = {}, std::uint32_t limit = 1000) {
    std::vector<std::string> keys;
    Page page;
    do {
      page = list(base, limit, page.cursor);
      keys.insert(keys.end(), page.keys.begin(), page.keys.end());
    } while (!page.cursor.empty());
    return keys;
  }

  omnistore::Child child() const { return omnistore::Child(&store_); }
  const omnistore_store *raw() const { return &store_; }
  const omnistore_traits &traits() const { return traits_; }
  BareHost &host() { return host_; }

private:
  static constexpr omnistore_get_request whole_{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};

  BareHost host_;
  omnistore_traits traits_;
  omnistore_store store_;

  static void check(omnistore_status status, const BareCall &call) {
    if (status != OMNISTORE_OK) throw Refused(status, call.message());
  }
};

} // namespace test
