// SPDX-License-Identifier: Apache-2.0
// A plugin that lets exceptions out: from its entry, or from its driver's open.
#include <stdexcept>

#include <omnistore/driver.h>

namespace {

struct Stranger {};

omnistore_status open_store(const omnistore_host *, omnistore_call *, const omnistore_open_request *,
                            omnistore_traits *, void **) {
#ifdef THROWS_STRANGER
  throw Stranger{};
#else
  throw std::runtime_error("open has lost its way");
#endif
}
void close_store(void *) {}
omnistore_status get(void *, omnistore_call *, omnistore_bytes, const omnistore_get_request *, omnistore_sink *) {
  return OMNISTORE_NOT_FOUND;
}
omnistore_status set(void *, omnistore_call *, omnistore_bytes, const omnistore_set_request *, omnistore_sink *) {
  return OMNISTORE_OK;
}
omnistore_status remove(void *, omnistore_call *, omnistore_bytes, const omnistore_remove_request *) {
  return OMNISTORE_NOT_FOUND;
}
omnistore_status list(void *, omnistore_call *, const omnistore_list_request *, omnistore_page *) {
  return OMNISTORE_OK;
}

omnistore_traits traits() {
  omnistore_traits made{};
  made.size = sizeof made;
  made.thread_model = OMNISTORE_SERIALIZED;
  return made;
}
const omnistore_traits driver_traits = traits();

omnistore_driver driver() {
  omnistore_driver made{};
  made.size = sizeof made;
  made.name = "throws";
  made.traits = &driver_traits;
  made.open = open_store;
  made.close = close_store;
  made.get = get;
  made.stat = get;
  made.set = set;
  made.remove = remove;
  made.list = list;
  return made;
}
const omnistore_driver driver_table = driver();
const omnistore_driver *const drivers[] = {&driver_table};
const omnistore_plugin plugin = {
    sizeof(omnistore_plugin), OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR, 0, nullptr, nullptr, 1, 0, drivers};

} // namespace

extern "C" const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) {
#ifdef ENTRY_THROWS
  if (host) throw std::runtime_error("the entry has lost its way");
#elif defined(ENTRY_THROWS_STRANGER)
  if (host) throw Stranger{};
#endif
  return host ? &plugin : nullptr;
}
