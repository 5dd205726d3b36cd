// SPDX-License-Identifier: Apache-2.0
// A get whose way is told.
#include "storage/key.hpp"
#include "storage/sinks.hpp"
#include "storage/storage_impl.hpp"
#include "storage/trace.hpp"

namespace omnistore {

Explanation Storage::Impl::explain(const Key &key, std::chrono::milliseconds timeout) const {
  Route route(*this, "explain", key);
  const Mount &mount = route.mount();
  const omnistore_bytes inside = route.key();
  Explanation result;
  result.key = key.shown();
  result.mountpoint = mount.mountpoint;
  result.prefix = mount.prefix;
  result.inside = view(inside);
  result.ttl = mount.ttl;
  result.read_only = mount.read_only || (mount.node->traits().capabilities & OMNISTORE_READS_ONLY) != 0;

  HostCall call(timeout);
  std::string value;
  GetOptions first;
  first.length = 1;
  StringSink sink(value, first, &result.meta);
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, first.length};
  Trace trace(view(inside));
  const omnistore_status status = route.node().get(&call, inside, request, &sink);
  result.status = to_status(status);
  if (status != OMNISTORE_OK) result.meta = {};
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND)
    result.message = failure("get", key.shown(), mount, call.cause(status));
  result.store = trace.hop(route.node());
  if (status == OMNISTORE_OK) result.answered = trace.answered(route.node());
  return result;
}

Explanation Storage::explain(std::string_view key, std::chrono::milliseconds timeout) const {
  return impl_->explain(Key(key), timeout);
}

} // namespace omnistore
