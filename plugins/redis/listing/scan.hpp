// SPDX-License-Identifier: Apache-2.0
// SCAN over all servers of a store.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "servers/servers.hpp"

namespace redis {

/// Takes some names of keys in Redis.
using TakeNames = std::function<void(std::span<const std::string_view>)>;

/// Calls take(names) with names of strings in Redis, among them all that match the pattern. Each that exists during the
/// whole scan is given at least once, also if it moves from one server of a cluster to another meanwhile. `step` is how
/// many keys a server looks at at once. Throws Failure.
void scan(Servers &servers, omnistore::Call call, const std::string &pattern, std::uint32_t step,
          const TakeNames &take);

} // namespace redis
