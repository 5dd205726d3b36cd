// SPDX-License-Identifier: Apache-2.0
// The reports of the admin listener, as JSON.
#pragma once

#include <string>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "loader/inspect.hpp"
#include "loader/registry.hpp"
#include "report/host_state.hpp"

namespace omnistore::report {

/// {size, mtime, expiry, etag, user}: bytes, Unix milliseconds, null for values that are unknown or not set. The user's
/// meta is JSON if it is JSON, and to_text() prints it as it is; other text is a string; other bytes are base64 in
/// "user64".
boost::json::object describe(const Meta &meta);

/// Returns the text of a result of describe(), or of a value that holds such results. It has one line.
std::string to_text(const boost::json::value &described);
/// Returns {driver, version, file, capabilities, children}, the object that describe() below has for a store.
boost::json::object describe(const StoreInfo &store);

/// {"mounts": [{mountpoint, prefix, ttl, read_only, available, reason, store: {driver, version, file, capabilities,
/// children}}]}; a capability is "native", "emulated" or "no".
boost::json::object describe(const std::vector<MountInfo> &mounts);

/// The same with "draining": [{id, store, mountpoint, driver, state, age, calls, readers, watches, running:
/// [{operation, age, waits_for_client}], waits_for}] if there are such stores: those that were taken out and are not
/// closed yet. A state is "opening", "in use" or "closing"; an age is in seconds.
boost::json::object describe_mounts(const Storage &storage);
boost::json::array describe(const std::vector<DrainingStore> &stores);
/// "opening", "in use" or "closing".
const char *state_name(DrainingStore::State state);

/// {"drivers": [{name, version, summary, file, sha256, plugin, plugin_version, abi, threads, shared, never_blocks,
/// keeps, order, children, capabilities, limits, schema}], "rejects": [{file, reason, advice}], "searched": [...]}.
/// Loads every plugin. If a store of a driver is open, the capabilities are those of the first one, since options can
/// make a difference; otherwise they are those that its table states, as everything else is. `sha256` is that of the
/// bytes that are loaded. `threads` is "parallel" or "serialized"; `keeps` is "power", "process", "nothing", "no value"
/// or "unknown"; `order` is "keys" or "none"; `children` is {min, max}. `limits` holds those that the driver states:
/// max_key_size and max_value_size in bytes, max_batch, min_ttl and ttl_grain in milliseconds.
boost::json::object describe(loader::Registry &registry, const std::vector<MountInfo> &mounts);

/// {"file", "sha256", "needs": [...], "drivers": [...], "rejects": [...]} for one plugin file, with the drivers and
/// rejects as above. `needs` names the libraries that the file is linked with.
boost::json::object describe(const loader::Inspected &plugin);

/// {"time", "mounts": [...], "listeners": [...], "threads": {total, idle, stuck, waiting, lanes: [...]}, "memory":
/// {...}, "reloads": {...}, "process": {...}}; "time" in Unix milliseconds. A lane is a store's share of the threads,
/// with the store's number as in "draining"; a stuck thread is one whose driver has not returned from a request that
/// nobody waits for any more, and "waiting" counts requests. "memory" has the bytes of connections, requests and
/// responses, the bytes that are kept for the next long value, and the number of refusals for lack of memory.
boost::json::object describe(const std::vector<MountStats> &mounts, const HostState &host);

/// {"config", "profile", "mounts": [{mountpoint, driver, change, details, line, column}], "later": [...]}; a change is
/// "added", "kept", "replaced" or "removed". The line and column are there if the config has a text with the mount.
boost::json::object describe(const Reload &reload, const Config &config);

/// {key, mount, prefix, inside, ttl, read_only, status, message, meta, layer: {driver, place}, store: {driver, outcome,
/// order, `asked`, time, message, about, children}}. A value that is unknown is null; a store that was not called has
/// only driver, outcome and children. Times are microseconds.
boost::json::object describe(const Explanation &explanation);

} // namespace omnistore::report
