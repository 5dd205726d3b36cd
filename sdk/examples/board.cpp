// SPDX-License-Identifier: Apache-2.0
// Keeps values in memory, with expiries, conditions, batches and watches: the full form, which GUIDE.md explains.
#include <list>
#include <map>
#include <mutex>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>

namespace {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call;

class Board {
public:
  Board(const omnistore_host &host, const omnistore::Options &, omnistore_traits &) : host_(host) {}

  omnistore_status get(Call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const Entry *found = live(key);
    return found ? omnistore::give(sink, meta(*found, request.flags), found->bytes) : OMNISTORE_NOT_FOUND;
  }
  omnistore_status set(Call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    const Entry *old = live(key);
    if (!holds(request.condition, as_view(request.etag), old)) return OMNISTORE_CONFLICT;
    if (request.expiry && request.expiry <= now()) return old ? end(key, OMNISTORE_CAUSE_REMOVED) : OMNISTORE_OK;
    Entry &entry = entries_[std::string(key)];
    entry = {std::string(as_view(request.value)), std::string(omnistore::NumberEtag(etags_.next()).text()), now(),
             request.expiry};
    report(OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, key);
    return result ? omnistore::give(*result, meta(entry, OMNISTORE_GET_META)) : OMNISTORE_OK;
  }
  omnistore_status remove(Call, std::string_view key, const omnistore_remove_request &request) {
    const Entry *old = live(key);
    if (request.condition == OMNISTORE_IF_MATCH && !holds(request.condition, as_view(request.etag), old))
      return OMNISTORE_CONFLICT;
    return old ? end(key, OMNISTORE_CAUSE_REMOVED) : OMNISTORE_NOT_FOUND;
  }
  omnistore_status touch(Call, std::string_view key, const omnistore_touch_request &request) {
    Entry *found = live(key);
    if (!found) return OMNISTORE_NOT_FOUND;
    if (request.expiry && request.expiry <= now()) return end(key, OMNISTORE_CAUSE_REMOVED);
    found->expiry = request.expiry;
    return report(OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, key), OMNISTORE_OK;
  }
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses) {
    for (std::size_t i = 0; i < keys.size(); ++i)
      statuses[i] = set(call, as_view(keys[i]), requests[i], results ? results[i] : nullptr);
    return OMNISTORE_OK;
  }
  void list(omnistore::Key base, omnistore::Emit emit) {
    for (auto at = entries_.lower_bound(base); at != entries_.end() && at->first.starts_with(base); ++at)
      if (!expired(at->second)) emit(at->first);
  }

  omnistore_status watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    const std::lock_guard lock(watching_);
    *watch = &watches_.emplace_back(std::string(as_view(request.base)), &watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) {
    const std::lock_guard lock(watching_);
    watches_.remove_if([&](const auto &each) { return &each == watch; });
  }

private:
  struct Entry {
    std::string bytes, etag;
    std::int64_t mtime, expiry;
  };

  std::int64_t now() const { return host_.now(&host_); }
  bool expired(const Entry &entry) const { return entry.expiry && now() >= entry.expiry; }
  Entry *live(std::string_view key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    return expired(found->second) ? (end(key, OMNISTORE_CAUSE_EXPIRED), nullptr) : &found->second;
  }
  static bool holds(std::uint32_t condition, std::string_view etag, const Entry *old) {
    if (condition == OMNISTORE_IF_ABSENT) return !old;
    if (condition == OMNISTORE_IF_PRESENT) return old;
    return condition == OMNISTORE_ALWAYS || (old && old->etag == etag); // OMNISTORE_IF_MATCH
  }
  static omnistore_meta meta(const Entry &entry, std::uint32_t flags) {
    omnistore_meta meta = omnistore::make_meta(entry.bytes.size(), entry.mtime, entry.expiry);
    if (flags & OMNISTORE_GET_META) meta.etag = as_bytes(entry.etag);
    return meta;
  }
  omnistore_status end(std::string_view key, std::uint32_t cause) {
    entries_.erase(entries_.find(key));
    report(OMNISTORE_EVENT_REMOVE, cause, key);
    return OMNISTORE_OK;
  }
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key) {
    const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
    if (cause == OMNISTORE_CAUSE_EXPIRED) host_.event(&host_, &event);
    const std::lock_guard lock(watching_);
    for (const auto &[base, watcher] : watches_)
      if (key.starts_with(base)) watcher->event(watcher, &event);
  }

  const omnistore_host &host_;
  std::map<std::string, Entry, std::less<>> entries_;
  omnistore::EtagNumbers etags_;
  std::mutex watching_; // since unwatch runs beside the other functions
  std::list<std::pair<std::string, omnistore_watcher *>> watches_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  made.capabilities = OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT |
                      OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH | OMNISTORE_WATCHES_OWN;
  made.keeps = OMNISTORE_KEEPS_NOTHING;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Board>("board", "1.0.0", "Keeps values in memory", nullptr, traits))
