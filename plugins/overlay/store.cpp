// SPDX-License-Identifier: Apache-2.0
#include "store.hpp"

#include "layer.hpp"
#include "sinks.hpp"

namespace overlay {

namespace {

/// So many keys are remembered; when there are more all are forgotten, and a change may be told twice.
constexpr std::size_t MOST_REMEMBERED = 100'000;

} // namespace

/// What tells one value of a key from another; empty: there is none.
omnistore_status Store::state(Call call, std::string_view key, std::string &state) const {
  HeldMeta meta;
  MetaGate gate(meta, layer_);
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
  const omnistore_status status = child.stat(call, key, request, gate);
  if (status == OMNISTORE_NOT_FOUND) return state.clear(), OMNISTORE_OK;
  state = meta.etag.text().empty() ? std::to_string(meta.mtime) + "," + std::to_string(meta.value_size)
                                   : std::string(meta.etag.text());
  return status;
}

void Store::remember(std::string_view key, std::string state) {
  const std::lock_guard lock(mutex_);
  if (left_.size() >= MOST_REMEMBERED) left_.clear();
  left_.insert_or_assign(std::string(key), std::move(state));
}

/// After a write. Where the store cannot be asked nothing is remembered: the change may be told twice.
void Store::remember(Call call, std::string_view key) {
  std::string now;
  CapturingCall unheard(call);
  if (state(unheard, key, now) == OMNISTORE_OK) remember(key, std::move(now));
}

omnistore_status Store::is_echo(Call call, std::string_view key, bool &is) {
  is = false;
  std::string left;
  {
    const std::lock_guard lock(mutex_);
    const auto found = left_.find(std::string(key));
    if (found == left_.end()) return OMNISTORE_OK;
    left = found->second;
  }
  std::string now;
  const omnistore_status status = state(call, key, now);
  is = status == OMNISTORE_OK && now == left;
  return status;
}

omnistore_status Store::set(Call call, std::string_view key, const omnistore_set_request &request,
                            omnistore_sink *result) {
  const omnistore_status status = child.set(call, key, request, result);
  if (status == OMNISTORE_OK && remembers()) remember(call, key);
  return status;
}

omnistore_status Store::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  const omnistore_status status = child.remove(call, key, request);
  if (status == OMNISTORE_OK && remembers()) remember(key, {});
  return status;
}

omnistore_status Store::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  const omnistore_status status = child.touch(call, key, request);
  if (status == OMNISTORE_OK && remembers()) remember(call, key);
  return status;
}

omnistore_status Store::clear(Call call, std::string_view base) {
  const omnistore_clear_request request{sizeof request, 0, as_bytes(base)};
  if (!remembers()) return child.clear(call, request);
  omnistore::PageSink removed([&](std::string_view key, const omnistore_meta *) -> omnistore_status {
    remember(key, {});
    return OMNISTORE_OK;
  });
  return child.clear(call, request, &removed);
}

omnistore_status Store::set_many(Call call, std::span<const omnistore_bytes> keys,
                                 const omnistore_set_request *const *requests, omnistore_sink *const *results,
                                 omnistore_status *statuses) {
  const omnistore_status whole = child.set_many(call, keys, requests, results, statuses);
  for (std::size_t i = 0; i < keys.size() && whole == OMNISTORE_OK && remembers(); ++i)
    if (statuses[i] == OMNISTORE_OK) remember(call, as_view(keys[i]));
  return whole;
}

omnistore_status Store::remove_many(Call call, std::span<const omnistore_bytes> keys, omnistore_status *statuses) {
  const omnistore_status whole =
      child.remove_many(call, keys, omnistore::repeated(PLAIN_REMOVE, keys.size()).data(), statuses);
  for (std::size_t i = 0; i < keys.size() && whole == OMNISTORE_OK && remembers(); ++i)
    if (statuses[i] == OMNISTORE_OK) remember(as_view(keys[i]), {});
  return whole;
}

} // namespace overlay
