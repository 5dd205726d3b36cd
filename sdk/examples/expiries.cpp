// SPDX-License-Identifier: Apache-2.0
// Keeps values in memory until they expire. GUIDE.md explains it.
#include <map>

#include <omnistore/driver.hpp>

namespace {

using omnistore::as_bytes, omnistore::Call, omnistore::Key;

class Expiries {
public:
  Expiries(const omnistore_host &host, const omnistore::Options &, omnistore_traits &) : host_(host) {}

  omnistore_status get(Call, std::string_view key, const omnistore_get_request &, omnistore_sink &sink) {
    const Entry *found = live(key);
    if (!found) return OMNISTORE_NOT_FOUND;
    return omnistore::give(sink, omnistore::make_meta(found->bytes.size(), found->mtime, found->expiry), found->bytes);
  }
  omnistore_status set(Call, std::string_view key, const omnistore_set_request &request, omnistore_sink *) {
    live(key); // reports the end of an old value that has expired
    if (request.expiry && request.expiry <= now())
      remove(key);
    else
      entries_[std::string(key)] = {std::string(omnistore::as_view(request.value)), now(), request.expiry};
    return OMNISTORE_OK;
  }
  omnistore_status touch(Call, std::string_view key, const omnistore_touch_request &request) {
    Entry *found = live(key);
    if (!found) return OMNISTORE_NOT_FOUND;
    found->expiry = request.expiry;
    if (expired(*found)) entries_.erase(entries_.find(key));
    return OMNISTORE_OK;
  }
  bool remove(Key key) {
    const bool found = live(key);
    if (found) entries_.erase(entries_.find(key));
    return found;
  }
  void list(Key base, omnistore::Emit emit) {
    for (auto at = entries_.lower_bound(base); at != entries_.end() && at->first.starts_with(base); ++at)
      if (!expired(at->second)) emit(at->first);
  }

private:
  struct Entry {
    std::string bytes;
    std::int64_t mtime, expiry; // no expiry is 0
  };

  std::int64_t now() const { return host_.now(&host_); }
  bool expired(const Entry &entry) const { return entry.expiry && now() >= entry.expiry; }
  Entry *live(std::string_view key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return nullptr;
    if (!expired(found->second)) return &found->second;
    entries_.erase(found);
    const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, as_bytes(key), 0};
    host_.event(&host_, &event);
    return nullptr;
  }

  const omnistore_host &host_;
  std::map<std::string, Entry, std::less<>> entries_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  made.capabilities = OMNISTORE_NESTS | OMNISTORE_CAN_TTL;
  made.keeps = OMNISTORE_KEEPS_NOTHING;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Expiries>("expiries", "1.0.0", "Keeps values until they expire", nullptr, traits))
