// SPDX-License-Identifier: Apache-2.0
// A store that other stores of the same name see and change too, as clients of one server do. It lives as long as the
// process. Setting `!fail` to a status' number makes every function fail with it, for all of its clients; `!reads`
// is how many values were given out. Events come at once, and setting `!lag` states by how many milliseconds a watch
// may lag.
#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <omnistore/driver.hpp>
#include <omnistore/lag.hpp>
#include <omnistore_schema.h>

namespace {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call;

struct Value {
  std::string bytes, etag;
};

struct Watching {
  const void *store;
  std::string base;
  bool own;
  omnistore_watcher *watcher;
};

struct Server {
  std::mutex mutex;
  std::map<std::string, Value, std::less<>> values;
  std::list<Watching> watches;
  omnistore_status fails = OMNISTORE_OK; // of every operation, while it is set under the key "!fail"
  bool undone = false;                   // and nothing is done then
  std::string stuck; // a key that is not removed, with this status: "STATUS KEY" under the key "!stuck"
  omnistore_status sticks_with = OMNISTORE_OK;
  std::uint64_t writes = 0;
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::int64_t> lag{0};

  void tell(const void *store, std::uint32_t type, std::string_view key) {
    for (const Watching &watch : watches) {
      if ((watch.store == store && !watch.own) || !key.starts_with(watch.base)) continue;
      const omnistore_event event{
          sizeof event,  type, type == OMNISTORE_EVENT_REMOVE ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_NONE, 0,
          as_bytes(key), 0};
      watch.watcher->event(watch.watcher, &event);
    }
  }
};

std::shared_ptr<Server> server_of(const std::string &name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<Server>> servers;
  const std::lock_guard lock(mutex);
  std::shared_ptr<Server> &server = servers[name];
  if (!server) server = std::make_shared<Server>();
  return server;
}

class Jar {
public:
  Jar(const omnistore_host &, omnistore::Options options, omnistore_traits &traits)
      : server_(server_of(options.string("name"))), in_order_(options.string("order") == "keys"),
        etags_(options.boolean("etags")), own_(options.boolean("watchesOwn")), sizes_(options.boolean("sizes")),
        self_(std::make_unique<char>()) {
    if (options.boolean("shared")) traits.capabilities |= OMNISTORE_SHARED;
    if (etags_) traits.capabilities |= OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_MATCH;
    if (own_) traits.capabilities |= OMNISTORE_WATCHES_OWN;
    traits.order = in_order_ ? OMNISTORE_ORDER_KEYS : OMNISTORE_ORDER_NONE;
  }

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &, omnistore_sink &sink) {
    Value found;
    if (const omnistore_status status = read(call, key, found); status != OMNISTORE_OK) return status;
    if (!key.starts_with("!")) ++server_->reads;
    return omnistore::give(sink, meta(found), found.bytes);
  }
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &, omnistore_sink &sink) {
    Value found;
    if (const omnistore_status status = read(call, key, found); status != OMNISTORE_OK) return status;
    return omnistore::give(sink, meta(found));
  }
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    Value value;
    {
      const std::lock_guard lock(server_->mutex);
      if (key == "!fail") { // "90", or "90 undone"
        const std::string_view told = as_view(request.value);
        server_->undone = told.ends_with(" undone");
        return server_->fails = std::stoi(std::string(told)), OMNISTORE_OK;
      }
      if (key == "!lag") return server_->lag = std::stoll(std::string(as_view(request.value))), OMNISTORE_OK;
      if (key == "!stuck") {
        const std::string_view told = as_view(request.value);
        server_->stuck = told.substr(told.find(' ') + 1);
        return server_->sticks_with = std::stoi(std::string(told)), OMNISTORE_OK;
      }
      if (server_->fails != OMNISTORE_OK) return call.fail(server_->fails, "told to fail", {server_->undone, 0});
      if (!holds(key, request.condition, request.etag)) return OMNISTORE_CONFLICT;
      value = {std::string(as_view(request.value)), "v" + std::to_string(++server_->writes)};
      server_->values.insert_or_assign(std::string(key), value);
      server_->tell(self_.get(), OMNISTORE_EVENT_UPDATE, key);
    }
    return result ? omnistore::give(*result, meta(value)) : OMNISTORE_OK;
  }
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request) {
    const std::lock_guard lock(server_->mutex);
    if (server_->fails != OMNISTORE_OK) return call.fail(server_->fails, "told to fail", {server_->undone, 0});
    if (key == server_->stuck) return call.fail(server_->sticks_with, "told to keep this key");
    const auto found = server_->values.find(key);
    if (request.condition == OMNISTORE_IF_MATCH && !holds(key, request.condition, request.etag))
      return OMNISTORE_CONFLICT;
    if (found == server_->values.end()) return OMNISTORE_NOT_FOUND;
    server_->values.erase(found);
    server_->tell(self_.get(), OMNISTORE_EVENT_REMOVE, key);
    return OMNISTORE_OK;
  }
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page) {
    const std::lock_guard lock(server_->mutex);
    if (server_->fails != OMNISTORE_OK) return call.fail(server_->fails, "told to fail", {server_->undone, 0});
    return in_order_ ? list(server_->values, request, page) : list(backwards(), request, page);
  }
  omnistore_status watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    const std::lock_guard lock(server_->mutex);
    server_->watches.push_front({self_.get(), std::string(as_view(request.base)), own_, &watcher});
    *watch = &server_->watches.front();
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) {
    const std::lock_guard lock(server_->mutex);
    server_->watches.remove_if([&](const Watching &one) { return &one == watch; });
  }
  std::int64_t lag(void *) const { return server_->lag; }
  const void *extension(const char *id) { return omnistore::lag_extension<Jar>(id); }

private:
  omnistore_status read(Call call, std::string_view key, Value &into) {
    const std::lock_guard lock(server_->mutex);
    if (key == "!reads") return into.bytes = std::to_string(server_->reads.load()), OMNISTORE_OK;
    if (key.starts_with("!")) return OMNISTORE_NOT_FOUND;
    if (server_->fails != OMNISTORE_OK) return call.fail(server_->fails, "told to fail", {server_->undone, 0});
    const auto found = server_->values.find(key);
    if (found == server_->values.end()) return OMNISTORE_NOT_FOUND;
    into = found->second;
    return OMNISTORE_OK;
  }
  bool holds(std::string_view key, std::uint32_t condition, omnistore_bytes etag) const {
    const auto found = server_->values.find(key);
    const bool there = found != server_->values.end();
    switch (condition) {
    case OMNISTORE_IF_ABSENT:
      return !there;
    case OMNISTORE_IF_PRESENT:
      return there;
    case OMNISTORE_IF_MATCH:
      return there && found->second.etag == as_view(etag);
    default:
      return true;
    }
  }
  omnistore_meta meta(const Value &value) const {
    omnistore_meta meta = omnistore::make_meta(sizes_ ? value.bytes.size() : OMNISTORE_UNKNOWN_SIZE);
    if (etags_) meta.etag = as_bytes(value.etag);
    return meta;
  }
  std::map<std::string, Value, std::greater<>> backwards() const {
    return {server_->values.begin(), server_->values.end()};
  }
  template <typename Values>
  static omnistore_status list(const Values &values, const omnistore_list_request &request, omnistore_page &page) {
    std::uint32_t given = 0;
    std::string_view last;
    for (auto at = request.cursor.size == 0 ? values.begin() : values.upper_bound(as_view(request.cursor));
         at != values.end(); ++at) {
      if (!omnistore::lists(request, at->first)) continue;
      if (given++ == request.limit) {
        page.next(&page, as_bytes(last));
        break;
      }
      last = at->first;
      if (const auto status = page.emit(&page, as_bytes(last), nullptr); status != OMNISTORE_OK) return status;
    }
    return OMNISTORE_OK;
  }

  std::shared_ptr<Server> server_;
  bool in_order_, etags_, own_, sizes_;
  std::unique_ptr<char> self_; // its address names the store
};

constexpr omnistore_traits traits = [] {
  omnistore_traits stated{};
  stated.size = sizeof stated;
  stated.thread_model = OMNISTORE_PARALLEL;
  stated.capabilities = OMNISTORE_NESTS | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT;
  stated.keeps = OMNISTORE_KEEPS_PROCESS;
  return stated;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Jar>("jar", "1.0.0", "For tests", OMNISTORE_OPTIONS_SCHEMA, traits))
