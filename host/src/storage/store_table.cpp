// SPDX-License-Identifier: Apache-2.0
// The table through which a layer calls a store below it: each entry calls the function of the same name. No exception
// leaves them, since the layer may be written in C.
#include <omnistore/ext/lag.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/known.hpp>

#include "storage/call.hpp"
#include "storage/contract.hpp"
#include "storage/store.hpp"

namespace omnistore {
namespace {

Store &store(void *self) { return *static_cast<Store *>(self); }

omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_get_request *request, omnistore_sink *sink) {
  return without_exceptions(call, [&] { return store(self).get(call, key, *Known(*request), sink); });
}
omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                     const omnistore_get_request *request, omnistore_sink *sink) {
  return without_exceptions(call, [&] { return store(self).stat(call, key, *Known(*request), sink); });
}
omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_set_request *request, omnistore_sink *result) {
  return without_exceptions(call, [&] { return store(self).set(call, key, *Known(*request), result); });
}
omnistore_status OMNISTORE_CALL remove(void *self, omnistore_call *call, omnistore_bytes key,
                                       const omnistore_remove_request *request) {
  return without_exceptions(call, [&] { return store(self).remove(call, key, *Known(*request)); });
}
omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                     omnistore_page *page) {
  return without_exceptions(call, [&] { return store(self).list(call, *Known(*request), page); });
}
omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                      omnistore_page *removed) {
  return without_exceptions(call, [&] { return store(self).clear(call, *Known(*request), removed); });
}
omnistore_status OMNISTORE_CALL get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t count, const omnistore_get_request *const *requests,
                                         omnistore_sink *const *sinks, omnistore_status *statuses) {
  return without_exceptions(call, [&] {
    const KnownRequests known(requests, count);
    return store(self).get_many(call, keys, count, known.raw(), sinks, statuses);
  });
}
omnistore_status OMNISTORE_CALL stat_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                          std::uint32_t count, const omnistore_get_request *const *requests,
                                          omnistore_sink *const *sinks, omnistore_status *statuses) {
  return without_exceptions(call, [&] {
    const KnownRequests known(requests, count);
    return store(self).stat_many(call, keys, count, known.raw(), sinks, statuses);
  });
}
omnistore_status OMNISTORE_CALL set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t count, const omnistore_set_request *const *requests,
                                         omnistore_sink *const *results, omnistore_status *statuses) {
  return without_exceptions(call, [&] {
    const KnownRequests known(requests, count);
    return store(self).set_many(call, keys, count, known.raw(), results, statuses);
  });
}
omnistore_status OMNISTORE_CALL remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                            std::uint32_t count, const omnistore_remove_request *const *requests,
                                            omnistore_status *statuses) {
  return without_exceptions(call, [&] {
    const KnownRequests known(requests, count);
    return store(self).remove_many(call, keys, count, known.raw(), statuses);
  });
}
omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call, omnistore_bytes key,
                                      const omnistore_touch_request *request) {
  return without_exceptions(call, [&] { return store(self).touch(call, key, *Known(*request)); });
}
omnistore_status OMNISTORE_CALL watch(void *self, omnistore_call *call, const omnistore_watch_request *request,
                                      omnistore_watcher *watcher, void **watch) {
  return without_exceptions(call, [&] { return store(self).watch(*Known(*request), watcher, watch); });
}
void OMNISTORE_CALL unwatch(void *self, void *watch) {
  without_exceptions([&] { store(self).unwatch(watch); });
}
omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes etag,
                                            omnistore_sink *sink, uint32_t *unchanged) {
  return without_exceptions(
      call, [&] { return store(self).get_changed(call, key, *Known(*request), etag, sink, *unchanged); });
}
std::int64_t OMNISTORE_CALL lag(void *self, void *watch) { return store(self).lag(watch); }
omnistore_status OMNISTORE_CALL watch_strictly(void *self, omnistore_call *call, const omnistore_watch_request *request,
                                               omnistore_watcher *watcher, void **watch) {
  return without_exceptions(call, [&] { return store(self).watch_strictly(call, *Known(*request), watcher, watch); });
}
/// Nothing is passed through that the store does not meter and emulate.
const void *OMNISTORE_CALL extension(void *self, const char *id) {
  static constexpr omnistore_revalidate revalidate{sizeof(omnistore_revalidate), 0, get_changed};
  static constexpr omnistore_lag lags{sizeof(omnistore_lag), 0, lag, watch_strictly};
  if (std::string_view(id) == OMNISTORE_LAG) return store(self).proves_watches() ? &lags : nullptr;
  return std::string_view(id) == OMNISTORE_REVALIDATE ? &revalidate : nullptr;
}

} // namespace

void Store::fill_table() {
  table_ = driver().table;
  table_.size = sizeof table_;
  table_.traits = &traits_;
  table_.open = nullptr; // a child is open, and closed by the host
  table_.close = nullptr;
  table_.get = omnistore::get;
  table_.stat = omnistore::stat;
  table_.set = omnistore::set;
  table_.remove = omnistore::remove;
  table_.list = omnistore::list;
  table_.clear = omnistore::clear;
  table_.get_many = omnistore::get_many;
  table_.stat_many = omnistore::stat_many;
  table_.set_many = omnistore::set_many;
  table_.remove_many = omnistore::remove_many;
  table_.touch = omnistore::touch;
  table_.watch = omnistore::watch;
  table_.unwatch = omnistore::unwatch;
  table_.extension = omnistore::extension;
  handle_ = {sizeof handle_, 0, &table_, &traits_, this};
}

} // namespace omnistore
