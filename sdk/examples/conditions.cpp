// SPDX-License-Identifier: Apache-2.0
// Keeps values in memory, and checks the condition of each write. GUIDE.md explains it.
#include <map>

#include <omnistore/driver.hpp>
#include <omnistore/etag_number.hpp>

namespace {

using omnistore::as_view, omnistore::Call, omnistore::Key;

class Conditions {
public:
  omnistore_status get(Call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
    const Entry *found = find(key);
    return found ? omnistore::give(sink, meta(*found, request.flags), found->bytes) : OMNISTORE_NOT_FOUND;
  }
  omnistore_status set(Call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result) {
    if (!holds(request.condition, as_view(request.etag), find(key))) return OMNISTORE_CONFLICT;
    Entry &entry = entries_[std::string(key)];
    entry = {std::string(as_view(request.value)), std::string(omnistore::NumberEtag(etags_.next()).text())};
    return result ? omnistore::give(*result, meta(entry, OMNISTORE_GET_META)) : OMNISTORE_OK;
  }
  omnistore_status remove(Call, std::string_view key, const omnistore_remove_request &request) {
    const Entry *old = find(key);
    if (request.condition == OMNISTORE_IF_MATCH && !holds(request.condition, as_view(request.etag), old))
      return OMNISTORE_CONFLICT;
    if (!old) return OMNISTORE_NOT_FOUND; // also OMNISTORE_IF_PRESENT
    entries_.erase(entries_.find(key));
    return OMNISTORE_OK;
  }
  const auto &list() { return entries_; }

private:
  struct Entry {
    std::string bytes, etag;
  };

  const Entry *find(std::string_view key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
  }
  static bool holds(std::uint32_t condition, std::string_view etag, const Entry *old) {
    if (condition == OMNISTORE_IF_ABSENT) return !old;
    if (condition == OMNISTORE_IF_PRESENT) return old;
    return condition == OMNISTORE_ALWAYS || (old && old->etag == etag); // OMNISTORE_IF_MATCH
  }
  static omnistore_meta meta(const Entry &entry, std::uint32_t flags) {
    omnistore_meta meta = omnistore::make_meta(entry.bytes.size());
    if (flags & OMNISTORE_GET_META) meta.etag = omnistore::as_bytes(entry.etag);
    return meta;
  }

  std::map<std::string, Entry, std::less<>> entries_;
  omnistore::EtagNumbers etags_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  made.capabilities = OMNISTORE_NESTS | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |
                      OMNISTORE_CAN_IF_MATCH;
  made.keeps = OMNISTORE_KEEPS_NOTHING;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Conditions>("conditions", "1.0.0", "Checks conditions", nullptr, traits))
