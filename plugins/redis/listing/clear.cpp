// SPDX-License-Identifier: Apache-2.0
#include "listing/clear.hpp"

#include <algorithm>
#include <vector>

namespace redis {
namespace {

using omnistore::as_bytes, omnistore::as_view;
using Keys = std::vector<std::string_view>;

/// Removes the values of these keys, and the user meta of those `owners` that have no value.
omnistore_status remove(omnistore::Call call, const Keys &keys, const Keys &owners, omnistore_page *removed,
                        const ClearSetup &setup) {
  if (keys.empty() && owners.empty()) return OMNISTORE_OK;
  setup.watches.expect_cleared(keys);
  Commands commands;
  std::vector<std::size_t> ends; ///< for each key, the number of commands up to its last one
  for (const std::string_view key : keys) {
    setup.values.add_remove(commands, key);
    ends.push_back(commands.count());
  }
  for (const std::string_view owner : owners)
    setup.values.add_script(commands, "EVAL", setup.values.scripts().remove_orphan.text, owner);
  const Replies replies = setup.servers.run(call, commands, OnBroken::fail);
  omnistore_status status = OMNISTORE_OK;
  for (std::size_t i = 0; i < keys.size() && status == OMNISTORE_OK; ++i) {
    if (integer_of(*replies[ends[i] - 1]) == 1 && removed) status = removed->emit(removed, as_bytes(keys[i]), nullptr);
  }
  for (const Reply &reply : replies) not_error(*reply);
  return status;
}

void sort_once(Keys &keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

} // namespace

omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed,
                       const ClearSetup &setup) {
  const std::string_view base = as_view(request.base);
  const bool is_cluster = setup.layout.is_cluster();
  omnistore_status status = OMNISTORE_OK;
  const auto remove_values = [&](std::span<const std::string_view> names) {
    Keys keys, owners;
    for (const std::string_view name : names) {
      const auto key = setup.layout.key_of(name);
      if (!key || !key->starts_with(base)) continue;
      if (setup.layout.value_key_of(name))
        keys.push_back(*key);
      else if (!is_cluster)
        owners.push_back(owner_of(*key));
    }
    // If an owner is not among the keys, SCAN either returns its value another time, or there is none.
    Keys sorted = keys;
    sort_once(sorted);
    sort_once(owners);
    std::erase_if(owners, [&](auto owner) { return std::binary_search(sorted.begin(), sorted.end(), owner); });
    if (status == OMNISTORE_OK) status = remove(call, keys, owners, removed, setup);
  };
  // In a cluster the names of user meta do not all begin as those of values do (layout.hpp).
  const auto remove_orphans = [&](std::span<const std::string_view> names) {
    Keys owners;
    for (const std::string_view name : names)
      if (const auto owner = setup.layout.owner_of_meta(name); owner && owner->starts_with(base))
        owners.push_back(*owner);
    sort_once(owners);
    if (status == OMNISTORE_OK) status = remove(call, {}, owners, nullptr, setup);
  };
  omnistore::partly_done([&] {
    setup.listings.scan(call, setup.layout.pattern(base), remove_values);
    if (is_cluster && status == OMNISTORE_OK) setup.listings.scan(call, "*$", remove_orphans);
  });
  return status;
}

} // namespace redis
