// SPDX-License-Identifier: Apache-2.0
// A get that reports its way.
#include <future>

#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/sidecar_key.hpp"
#include "storage/sinks.hpp"
#include "storage/trace.hpp"

namespace omnistore {

/// Returns the report of a store's driver about a key, or nullopt if it did not come in time. The mount is held
/// meanwhile, by the caller too.
std::optional<std::string> KeySpace::driver_report(const Mount &mount, Store &store, std::string key) const {
  DriverReports &reports = store.reports();
  if (!reports.explains()) return std::string();
  const auto until = std::chrono::steady_clock::now() + DriverReports::report_time;
  if (!reports.explaining().begin(until)) return std::nullopt;
  const auto text = std::make_shared<std::promise<std::string>>();
  std::future<std::string> result = text->get_future();
  background_->submit(
      {nullptr, [text, &reports, key = std::move(key), hold = std::make_shared<Hold>(Hold(mount, Hold::anywhere))] {
         std::string about = reports.explain(bytes(key));
         reports.explaining().end();
         text->set_value(std::move(about));
       }});
  if (result.wait_until(until) != std::future_status::ready) return std::nullopt;
  return result.get();
}

Explanation KeySpace::explain(const Key &key, const CallOptions &options) const {
  Route route(*this, "explain", key);
  const Mount &mount = route.mount();
  const bool is_user = key.is_meta(); // then the get reads the user meta of the value
  const omnistore_bytes asked = is_user ? route.owner() : route.key();
  Explanation result;
  result.key = key.shown();
  result.mountpoint = mount.mountpoint;
  result.prefix = mount.prefix;
  result.inside = is_user ? sidecar_of(view(asked)) : std::string(view(asked));
  result.ttl = mount.ttl;
  result.read_only = mount.read_only || (mount.store->traits().capabilities & OMNISTORE_READS_ONLY) != 0;

  HostCall call(options);
  std::string value;
  GetOptions first;
  first.length = 1;
  StringSink sink(value, first, &result.meta);
  const std::uint32_t flags = OMNISTORE_GET_META | (is_user ? OMNISTORE_GET_USER : 0u);
  const omnistore_get_request request{sizeof request, flags, 0, is_user ? UINT64_MAX : first.length};
  Trace trace(view(asked),
              [&](Store &store, std::string_view of) { return driver_report(mount, store, std::string(of)); });
  omnistore_status status =
      is_user ? route.store().stat(&call, asked, request, &sink) : route.store().get(&call, asked, request, &sink);
  if (is_user && status == OMNISTORE_OK && result.meta.user.empty()) status = OMNISTORE_NOT_FOUND;
  result.status = to_status(status);
  if (status != OMNISTORE_OK) result.meta = {};
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND)
    result.message = failure("get", key.shown(), mount, call.cause(status));
  result.store = trace.hop(route.store());
  if (status == OMNISTORE_OK) result.answered = trace.answered(route.store());
  return result;
}

Explanation Storage::explain(std::string_view key, const CallOptions &options) const {
  return space().explain(Key(key), options);
}

} // namespace omnistore
