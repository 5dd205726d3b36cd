// SPDX-License-Identifier: Apache-2.0
#include "records/records.hpp"

#include <algorithm>

#include "layer/sinks.hpp"
#include "records/keys.hpp"

namespace overlay {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call;

namespace {

/// Looks up which of several keys a store has.
class Presence {
public:
  void add(std::string key) { keys_.push_back(std::move(key)); }
  std::size_t size() const { return keys_.size(); }
  bool has(std::size_t i) const { return statuses_[i] == OMNISTORE_OK; }

  omnistore_status look_up(Call call, omnistore::Child child) {
    std::vector<omnistore_bytes> views;
    for (const std::string &key : keys_) views.push_back(as_bytes(key));
    DiscardingSink sink;
    const std::vector<omnistore_sink *> sinks(keys_.size(), &sink);
    statuses_.assign(keys_.size(), OMNISTORE_INTERNAL);
    const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
    const omnistore_status whole =
        child.get_many(call, views, omnistore::repeated(request, keys_.size()).data(), sinks.data(), statuses_.data());
    if (whole != OMNISTORE_OK) return whole;
    for (const omnistore_status status : statuses_)
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    return OMNISTORE_OK;
  }

private:
  std::vector<std::string> keys_;
  std::vector<omnistore_status> statuses_;
};

/// Calls `take` for every record of a store under a base, without the base and without the '$' at its end.
template <typename Take>
omnistore_status each_record(Call call, omnistore::Child child, const std::string &base, Take take) {
  omnistore_list_request request{};
  request.size = sizeof request;
  request.base = as_bytes(base);
  request.depth = OMNISTORE_ANY_DEPTH;
  request.limit = 10'000;
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *) -> omnistore_status {
    key.remove_prefix(base.size());
    if (key.ends_with('$')) take(key.substr(0, key.size() - 1));
    return OMNISTORE_OK;
  });
  std::string cursor;
  do {
    cursor = page.cursor;
    page.cursor.clear();
    request.cursor = as_bytes(cursor);
    if (const omnistore_status status = child.list(call, request, page); status != OMNISTORE_OK) return status;
    // If a record were missed, a removed key would reappear.
    if (!page.skipped.empty()) return call.fail(page.skipped.front().status, page.skipped.front().message);
  } while (!page.cursor.empty());
  return OMNISTORE_OK;
}

void drop_under(std::set<std::string, std::less<>> &keys, std::string_view base) {
  const auto begin = keys.lower_bound(base);
  auto end = begin;
  while (end != keys.end() && std::string_view(*end).starts_with(base)) ++end;
  keys.erase(begin, end);
}

} // namespace

bool RecordSet::hides(std::string_view key) const {
  if (removed.contains(key)) return true;
  return !cleared.empty() && !each_base(key, [&](std::string_view base) { return !cleared.contains(base); });
}

omnistore_status Records::look_up(Call call, std::string_view key, bool &hidden) {
  if (kind_ == Kind::direct) {
    std::vector<bool> one(1, false);
    const omnistore_status status = hides(call, std::span(&key, 1), one);
    hidden = one[0];
    return status;
  }
  if (const omnistore_status status = load(call); status != OMNISTORE_OK) return status;
  const std::shared_lock lock(mutex_);
  hidden = set_.hides(key);
  return OMNISTORE_OK;
}

omnistore_status Records::hides(Call call, std::span<const std::string_view> keys, std::vector<bool> &hidden) {
  if (kind_ == Kind::none || keys.empty()) return OMNISTORE_OK;
  if (kind_ != Kind::direct) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      bool one = false;
      if (const omnistore_status status = hides(call, keys[i], one); status != OMNISTORE_OK) return status;
      hidden[i] = one;
    }
    return OMNISTORE_OK;
  }
  // Keys of a batch share their bases, so each base is looked up once.
  Presence presence;
  std::vector<std::string> bases;
  for (const std::string_view key : keys) {
    presence.add(removed_key(key));
    each_base(key, [&](std::string_view base) { return bases.emplace_back(base), true; });
  }
  std::sort(bases.begin(), bases.end());
  bases.erase(std::unique(bases.begin(), bases.end()), bases.end());
  for (const std::string &base : bases) presence.add(cleared_key(base));
  if (const omnistore_status status = presence.look_up(call, store_.child); status != OMNISTORE_OK) return status;
  RecordSet found;
  for (std::size_t i = 0; i < bases.size(); ++i)
    if (presence.has(keys.size() + i)) found.cleared.insert(bases[i]);
  for (std::size_t i = 0; i < keys.size(); ++i) hidden[i] = presence.has(i) || found.hides(keys[i]);
  return OMNISTORE_OK;
}

omnistore_status Records::load(Call call) {
  if (kind_ == Kind::direct || ready_.load(std::memory_order_acquire)) return OMNISTORE_OK;
  const std::lock_guard guard(loading_);
  if (ready_.load(std::memory_order_acquire)) return OMNISTORE_OK;
  RecordSet read_in;
  if (const omnistore_status status = read(call, "", read_in); status != OMNISTORE_OK) return status;
  const std::lock_guard lock(mutex_);
  set_ = std::move(read_in);
  count();
  ready_.store(true, std::memory_order_release);
  return OMNISTORE_OK;
}

void Records::count() { count_.store(set_.removed.size() + set_.cleared.size(), std::memory_order_release); }

omnistore_status Records::read(Call call, std::string_view base, RecordSet &into) const {
  omnistore_status status =
      each_record(call, store_.child, std::string(removed_records).append(base),
                  [&](std::string_view rest) { into.removed.insert(std::string(base).append(rest)); });
  if (status != OMNISTORE_OK) return status;
  status = each_record(call, store_.child, std::string(cleared_records).append(base),
                       [&](std::string_view rest) { into.cleared.insert(std::string(base).append(rest).append(":")); });
  if (status != OMNISTORE_OK) return status;
  Presence above;
  std::vector<std::string> bases;
  each_base(base, [&](std::string_view one) {
    above.add(cleared_key(one));
    return bases.emplace_back(one), true;
  });
  if ((status = above.look_up(call, store_.child)) != OMNISTORE_OK) return status;
  for (std::size_t i = 0; i < bases.size(); ++i)
    if (above.has(i)) into.cleared.insert(std::move(bases[i]));
  return OMNISTORE_OK;
}

omnistore_status Records::write(Call call, std::string_view record) {
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes("{}");
  return store_.set(call, record, request);
}

omnistore_status Records::remove(Call call, std::string_view key) {
  if (layer_key()) {
    if (const omnistore_status status = load(call); status != OMNISTORE_OK) return status;
    const omnistore_status status = write(call, removed_key(key));
    if (status != OMNISTORE_OK || kind_ == Kind::direct) return status;
  }
  const std::lock_guard lock(mutex_);
  set_.removed.emplace(key);
  count();
  return OMNISTORE_OK;
}

omnistore_status Records::clear(Call call, std::string_view base) {
  if (layer_key()) {
    omnistore_status status = load(call);
    if (status != OMNISTORE_OK) return status;
    if ((status = write(call, cleared_key(base))) != OMNISTORE_OK) return status;
    // The new record replaces all others of this base.
    for (const std::string_view space : {removed_records, cleared_records}) {
      const std::string under = std::string(space).append(base);
      if ((status = store_.clear(call, under)) != OMNISTORE_OK) return status;
    }
    if (kind_ == Kind::direct) return OMNISTORE_OK;
  }
  const std::lock_guard lock(mutex_);
  set_.cleared.emplace(base);
  drop_under(set_.removed, base);
  for (auto at = set_.cleared.lower_bound(base); at != set_.cleared.end() && at->starts_with(base);)
    at = at->size() > base.size() ? set_.cleared.erase(at) : std::next(at);
  count();
  return OMNISTORE_OK;
}

omnistore_status Records::forget(Call call, std::string_view key) {
  if (layer_key()) {
    if (const omnistore_status status = load(call); status != OMNISTORE_OK) return status;
    const omnistore_status status =
        store_.remove(call, removed_key(key), {sizeof(omnistore_remove_request), 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}});
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    if (kind_ == Kind::direct) return OMNISTORE_OK;
  }
  const std::lock_guard lock(mutex_);
  if (const auto at = set_.removed.find(key); at != set_.removed.end()) set_.removed.erase(at);
  count();
  return OMNISTORE_OK;
}

} // namespace overlay
