// SPDX-License-Identifier: Apache-2.0
//
// omnistore/testing.hpp - a minimal host for a driver's own tests. It loads a plugin file, opens a
// store, and calls it through the C table. It emulates nothing, so a test sees only the driver's
// own behaviour. For one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <dlfcn.h>

#include <omnistore/call.hpp>
#include <omnistore/child.hpp>
#include <omnistore/driver.h>
#include <omnistore/value.hpp>

namespace omnistore::testing {

/// A plugin file that is loaded as a host loads it: every symbol is bound at once, and none is
/// visible to others. Keep it as long as a store of its driver is open. The constructor throws
/// std::runtime_error, with the linker's message, if the file is no plugin.
class Library {
public:
  explicit Library(const std::string &file)
      : handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL), &dlclose) {
    if (!handle_) throw std::runtime_error(dlerror());
    const auto entry = reinterpret_cast<omnistore_entry>(dlsym(handle_.get(), OMNISTORE_ENTRY));
    if (!entry) throw std::runtime_error(dlerror());
    const omnistore_abi host{sizeof host, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR,
                             OMNISTORE_ABI_MINOR};
    plugin_ = entry(&host);
    if (!plugin_ || plugin_->driver_count == 0)
      throw std::runtime_error(file + ": it offers no driver");
  }

  const omnistore_plugin &plugin() const { return *plugin_; }
  /// The plugin's first driver.
  const omnistore_driver &driver() const { return *plugin_->drivers[0]; }

private:
  std::unique_ptr<void, int (*)(void *)> handle_;
  const omnistore_plugin *plugin_ = nullptr;
};

/// The context of a call, whose caller is unknown until the test names one.
struct BareContext : omnistore_context {
  bool gone = false; ///< the caller has gone away

  BareContext()
      : omnistore_context{sizeof(omnistore_context),
                          OMNISTORE_PRIORITY_NORMAL,
                          &cancelled_,
                          {nullptr, 0},
                          {nullptr, 0}} {}

private:
  static std::uint32_t OMNISTORE_CALL cancelled_(const omnistore_context *context) {
    return static_cast<const BareContext *>(context)->gone ? 1 : 0;
  }
};

/// A call that keeps the failures that are reported to it.
struct BareCall : omnistore_call {
  std::map<std::uint32_t, std::string> messages; ///< by item, which is 0 outside of batches
  std::map<std::uint32_t, FailureDetails> details;
  std::int64_t left = INT64_MAX; ///< the result of `remaining`, in milliseconds
  BareContext caller;            ///< the context of the call

  BareCall() : omnistore_call{sizeof(omnistore_call), 0, &caller, &remaining_, &fail_} {}
  BareCall(const BareCall &) = delete;
  BareCall &operator=(const BareCall &) = delete;
  std::string message() const { return messages.contains(0) ? messages.at(0) : std::string(); }

private:
  static std::int64_t OMNISTORE_CALL remaining_(const omnistore_call *call) {
    const auto &self = *static_cast<const BareCall *>(call);
    return self.caller.gone ? 0 : self.left;
  }
  static void OMNISTORE_CALL fail_(omnistore_call *call, const omnistore_failure *failure) {
    auto &self = *static_cast<BareCall *>(call);
    if (failure->message.size != 0) self.messages[failure->item] = as_view(failure->message);
    self.details[failure->item] = details_of(*failure);
  }
};

/// A host that keeps the lines of its log. It refuses tasks, drops events and has no extensions.
struct BareHost : omnistore_host {
  std::int64_t time = 1'700'000'000'000;  ///< the result of `now`; only the test moves this clock
  mutable std::vector<std::string> lines; ///< of the log

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
  static void OMNISTORE_CALL log_(const omnistore_host *host, std::uint32_t,
                                  omnistore_bytes message) {
    static_cast<const BareHost *>(host)->lines.emplace_back(as_view(message));
  }
  static std::int64_t OMNISTORE_CALL now_(const omnistore_host *host) {
    return static_cast<const BareHost *>(host)->time;
  }
  static omnistore_status OMNISTORE_CALL submit_(const omnistore_host *, omnistore_task, void *,
                                                 std::uint64_t, std::uint32_t) {
    return OMNISTORE_UNAVAILABLE;
  }
  static void OMNISTORE_CALL event_(const omnistore_host *, const omnistore_event *) {}
  static const void *OMNISTORE_CALL extension_(const omnistore_host *, const char *) {
    return nullptr;
  }
};

/// The status and message of an operation that failed.
struct StatusError : std::runtime_error {
  omnistore_status status;
  StatusError(omnistore_status s, const std::string &message)
      : std::runtime_error(message), status(s) {}
};

/// An opened store. Its members return the driver's results, and nullopt or false for a miss. They
/// throw any other status as StatusError.
class BareStore {
public:
  /// `options` is the whole JSON object, in which no default is filled in. The driver's table and
  /// the children, with the array of them, must outlive the store.
  explicit BareStore(const omnistore_driver &driver, std::string_view options = "{}",
                     std::span<const omnistore_store *const> children = {})
      : traits_(*driver.traits), store_{sizeof(omnistore_store),
                                        0,
                                        &driver,
                                        &traits_,
                                        nullptr,
                                        children.data(),
                                        static_cast<std::uint32_t>(children.size()),
                                        0} {
    const omnistore_open_request request{sizeof request,
                                         0,
                                         as_bytes(options),
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
    ValueSink sink;
    BareCall call;
    const omnistore_status status = child().read(Call(&call), key, sink);
    if (status == OMNISTORE_NOT_FOUND) return {};
    check(status, call);
    return sink.bytes;
  }
  std::optional<omnistore_meta> stat(std::string_view key) {
    ValueSink sink;
    BareCall call;
    const omnistore_status status = child().stat(Call(&call), key, whole_, sink);
    if (status == OMNISTORE_NOT_FOUND) return {};
    check(status, call);
    return make_meta(sink.value_size, sink.mtime, sink.expiry);
  }
  void set(std::string_view key, std::string_view value) {
    BareCall call;
    check(child().write(Call(&call), key, value), call);
  }
  bool remove(std::string_view key) {
    BareCall call;
    const omnistore_status status = child().remove(Call(&call), key);
    if (status == OMNISTORE_NOT_FOUND) return false;
    check(status, call);
    return true;
  }

  struct Page {
    std::vector<std::string> keys;
    std::string cursor; ///< the start of the next page; empty at the end
  };
  Page list(std::string_view base, std::uint32_t limit, std::string_view cursor = {},
            std::uint32_t depth = OMNISTORE_ANY_DEPTH) {
    Page page;
    PageSink sink([&](std::string_view key, const omnistore_meta *) {
      page.keys.emplace_back(key);
      return OMNISTORE_OK;
    });
    const omnistore_list_request request{
        sizeof request, 0, as_bytes(base), depth, limit, as_bytes(cursor), {}, {}};
    BareCall call;
    check(child().list(Call(&call), request, sink), call);
    page.cursor = sink.cursor;
    return page;
  }
  /// Lists every key under a base, in pages of `limit`.
  std::vector<std::string> keys(std::string_view base = {}, std::uint32_t limit = 1000) {
    std::vector<std::string> keys;
    Page page;
    do {
      const std::string before = page.cursor;
      page = list(base, limit, before);
      if (!page.cursor.empty() && page.cursor == before)
        throw std::runtime_error("a listing that stands still");
      keys.insert(keys.end(), page.keys.begin(), page.keys.end());
    } while (!page.cursor.empty());
    return keys;
  }

  /// Returns the store as a layer sees it, for every other call: batches, conditions, ranges.
  /// Unlike a host, it leaves null entries of the table null.
  Child child() const { return Child(&store_); }
  const omnistore_store *raw() const { return &store_; }
  const omnistore_traits &traits() const { return traits_; }
  BareHost &host() { return host_; }

private:
  static constexpr omnistore_get_request whole_{sizeof(omnistore_get_request), 0, 0, UINT64_MAX};

  BareHost host_;
  omnistore_traits traits_;
  omnistore_store store_;

  static void check(omnistore_status status, const BareCall &call) {
    if (status != OMNISTORE_OK) throw StatusError(status, call.message());
  }
};

} // namespace omnistore::testing
