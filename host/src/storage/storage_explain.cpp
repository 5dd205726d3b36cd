// SPDX-License-Identifier: Apache-2.0
// A get whose way is told.
#include "storage/key.hpp"
#include "storage/sinks.hpp"
#include "storage/storage_impl.hpp"
#include "storage/trace.hpp"

namespace omnistore {

Explanation Storage::Impl::explain(const Key &key, const CallOptions &options) const {
  Route route(*this, "explain", key);
  const Mount &mount = route.mount();
  const bool is_user = key.is_meta(); // then the value is asked for its user meta
  const omnistore_bytes asked = is_user ? route.owner() : route.key();
  Explanation result;
  result.key = key.shown();
  result.mountpoint = mount.mountpoint;
  result.prefix = mount.prefix;
  result.inside = std::string(view(asked)) + (is_user ? "$" : "");
  result.ttl = mount.ttl;
  result.read_only = mount.read_only || (mount.node->traits().capabilities & OMNISTORE_READS_ONLY) != 0;

  HostCall call(options);
  std::string value;
  GetOptions first;
  first.length = 1;
  StringSink sink(value, first, &result.meta);
  const std::uint32_t flags = OMNISTORE_GET_META | (is_user ? OMNISTORE_GET_USER : 0u);
  const omnistore_get_request request{sizeof request, flags, 0, is_user ? UINT64_MAX : first.length};
  Trace trace(view(asked));
  omnistore_status status =
      is_user ? route.node().stat(&call, asked, request, &sink) : route.node().get(&call, asked, request, &sink);
  if (is_user && status == OMNISTORE_OK && result.meta.user.empty()) status = OMNISTORE_NOT_FOUND;
  result.status = to_status(status);
  if (status != OMNISTORE_OK) result.meta = {};
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND)
    result.message = failure("get", key.shown(), mount, call.cause(status));
  result.store = trace.hop(route.node());
  if (status == OMNISTORE_OK) result.answered = trace.answered(route.node());
  return result;
}

Explanation Storage::explain(std::string_view key, const CallOptions &options) const {
  return impl_->explain(Key(key), options);
}

} // namespace omnistore
