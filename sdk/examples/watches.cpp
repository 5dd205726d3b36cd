// SPDX-License-Identifier: Apache-2.0
// Keeps values in memory, and reports each change to those who watch. GUIDE.md explains it.
#include <list>
#include <map>
#include <mutex>

#include <omnistore/driver.hpp>

namespace {

using omnistore::Call, omnistore::Key;

class Watches {
public:
  const std::string *get(Key key) {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  void set(Key key, std::string value) {
    values_.insert_or_assign(std::string(key), std::move(value));
    report(OMNISTORE_EVENT_UPDATE, key);
  }
  bool remove(Key key) {
    const auto found = values_.find(key);
    if (found == values_.end()) return false;
    values_.erase(found);
    report(OMNISTORE_EVENT_REMOVE, key);
    return true;
  }
  const auto &list() { return values_; }

  omnistore_status watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
    const std::lock_guard lock(watching_);
    *watch = &watches_.emplace_back(std::string(omnistore::as_view(request.base)), &watcher);
    return OMNISTORE_OK;
  }
  void unwatch(void *watch) {
    const std::lock_guard lock(watching_);
    watches_.remove_if([&](const auto &each) { return &each == watch; });
  }

private:
  void report(std::uint32_t type, Key key) {
    const std::uint32_t cause = type == OMNISTORE_EVENT_REMOVE ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_NONE;
    const omnistore_event event{sizeof event, type, cause, 0, omnistore::as_bytes(key), 0};
    const std::lock_guard lock(watching_);
    for (const auto &[base, watcher] : watches_)
      if (key.starts_with(base)) watcher->event(watcher, &event);
  }

  std::map<std::string, std::string, std::less<>> values_;
  std::mutex watching_; // since unwatch runs beside the other functions
  std::list<std::pair<std::string, omnistore_watcher *>> watches_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  made.capabilities = OMNISTORE_NESTS | OMNISTORE_WATCHES_OWN;
  made.keeps = OMNISTORE_KEEPS_NOTHING;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Watches>("watches", "1.0.0", "Reports each change", nullptr, traits))
