// SPDX-License-Identifier: Apache-2.0
#include "storage/emulation/sidecars.hpp"

#include <deque>
#include <utility>

#include <omnistore/child.hpp>

#include "storage/call.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {

bool Sidecars::may_have(std::string_view key) const { return !is_sidecar(key) && key.size() < longest_key_; }

omnistore_status Sidecars::read(omnistore_call *call, std::string_view key, Sidecar &sidecar) const {
  sidecar = {};
  if (key.size() >= longest_key_) return OMNISTORE_OK;
  const std::string name = sidecar_of(key);
  ValueSink found;
  const omnistore_status status = store_.get(call, bytes(name), &whole_value, &found);
  if (status == OMNISTORE_OK) sidecar = Sidecar::parse(std::move(found.bytes));
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
}

omnistore_status Sidecars::read_items(omnistore_call *call, const omnistore_bytes *keys,
                                      const std::vector<std::uint32_t> &items, std::vector<Sidecar> &sidecars,
                                      std::vector<Unreadable> &unreadable) const {
  std::deque<std::string> names;
  std::vector<omnistore_bytes> views;
  std::deque<ValueSink> found;
  std::vector<omnistore_sink *> sinks;
  for (const std::uint32_t item : items) {
    views.push_back(bytes(names.emplace_back(sidecar_of(view(keys[item])))));
    sinks.push_back(&found.emplace_back());
  }
  std::vector<omnistore_status> statuses(items.size(), OMNISTORE_INTERNAL);
  const std::vector<const omnistore_get_request *> requests = repeated(whole_value, items.size());
  const omnistore_status status = store_.get_many(call, views.data(), static_cast<std::uint32_t>(items.size()),
                                                  requests.data(), sinks.data(), statuses.data());
  if (status != OMNISTORE_OK) return status;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (statuses[i] == OMNISTORE_OK)
      sidecars[items[i]] = Sidecar::parse(std::move(found[i].bytes));
    else if (statuses[i] != OMNISTORE_NOT_FOUND)
      unreadable.push_back({items[i], statuses[i]});
  }
  return OMNISTORE_OK;
}

omnistore_status Sidecars::write(omnistore_call *call, std::string_view key, const Sidecar &sidecar,
                                 std::int64_t expiry) const {
  const std::string text = sidecar.text();
  if (text.empty()) return remove(call, key);
  const std::string name = sidecar_of(key);
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = bytes(text);
  request.expiry = expiry;
  return store_.set(call, bytes(name), &request, nullptr);
}

omnistore_status Sidecars::remove(omnistore_call *call, std::string_view key) const {
  if (key.size() >= longest_key_) return OMNISTORE_OK;
  const std::string name = sidecar_of(key);
  const omnistore_status status = store_.remove(call, bytes(name), &plain_remove);
  return status == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : status;
}

std::vector<std::string> Sidecars::names(const omnistore_bytes *keys, std::uint32_t count) const {
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < count; ++i)
    if (may_have(view(keys[i]))) names.push_back(sidecar_of(view(keys[i])));
  return names;
}

omnistore_status Sidecars::remove_many(omnistore_call *call, const omnistore_bytes *keys, std::uint32_t count) const {
  const std::vector<std::string> all = names(keys, count);
  std::vector<omnistore_bytes> views;
  for (const std::string &name : all) views.push_back(bytes(name));
  std::vector<omnistore_status> statuses(views.size(), OMNISTORE_INTERNAL);
  if (store_.remove_many && !views.empty()) {
    const std::vector<const omnistore_remove_request *> requests = repeated(plain_remove, views.size());
    const omnistore_status status = store_.remove_many(call, views.data(), static_cast<std::uint32_t>(views.size()),
                                                       requests.data(), statuses.data());
    if (status != OMNISTORE_OK) return status;
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!store_.remove_many) statuses[i] = store_.remove(call, views[i], &plain_remove);
    if (statuses[i] != OMNISTORE_OK && statuses[i] != OMNISTORE_NOT_FOUND) return statuses[i];
  }
  return OMNISTORE_OK;
}

} // namespace omnistore
