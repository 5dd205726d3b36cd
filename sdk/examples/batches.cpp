// SPDX-License-Identifier: Apache-2.0
// Keeps values in memory for callers in parallel, and takes its lock once for a batch. GUIDE.md explains it.
#include <map>
#include <mutex>
#include <shared_mutex>

#include <omnistore/driver.hpp>

namespace {

using omnistore::as_view, omnistore::Call, omnistore::Key;

class Batches {
public:
  std::optional<std::string> get(Key key) {
    const std::shared_lock lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? std::nullopt : std::optional(found->second);
  }
  void set(Key key, std::string value) {
    const std::lock_guard lock(mutex_);
    values_.insert_or_assign(std::string(key), std::move(value));
  }
  bool remove(Key key) {
    const std::lock_guard lock(mutex_);
    const auto found = values_.find(key);
    return found != values_.end() && (values_.erase(found), true);
  }
  void list(Key base, omnistore::Emit emit) {
    const std::shared_lock lock(mutex_);
    for (auto at = values_.lower_bound(base); at != values_.end() && at->first.starts_with(base); ++at) emit(at->first);
  }

  omnistore_status get_many(Call, std::span<const omnistore_bytes> keys, omnistore::Requests<omnistore_get_request>,
                            omnistore_sink *const *sinks, omnistore_status *statuses) {
    const std::shared_lock lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto found = values_.find(as_view(keys[i]));
      statuses[i] = found == values_.end() ? OMNISTORE_NOT_FOUND : omnistore::give(*sinks[i], found->second);
    }
    return OMNISTORE_OK;
  }
  omnistore_status set_many(Call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *,
                            omnistore_status *statuses) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      values_.insert_or_assign(std::string(as_view(keys[i])), std::string(as_view(requests[i].value)));
      statuses[i] = OMNISTORE_OK;
    }
    return OMNISTORE_OK;
  }

private:
  std::shared_mutex mutex_;
  std::map<std::string, std::string, std::less<>> values_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_PARALLEL;
  made.capabilities = OMNISTORE_NESTS | OMNISTORE_NEVER_BLOCKS; // so that a sink may be written under the lock
  made.keeps = OMNISTORE_KEEPS_NOTHING;
  return made;
}();

} // namespace

OMNISTORE_PLUGIN(omnistore::driver<Batches>("batches", "1.0.0", "One lock for a batch", nullptr, traits))
