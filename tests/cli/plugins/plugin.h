/* SPDX-License-Identifier: Apache-2.0
 * The parts that the plugins of these tests share: functions of a store that has nothing, and the plugin round one
 * driver. */
#include <omnistore/driver.h>

static omnistore_status no_stat(void *self, omnistore_call *call, omnistore_bytes key,
                                const omnistore_get_request *request, omnistore_sink *sink) {
  (void)self, (void)call, (void)key, (void)request, (void)sink;
  return OMNISTORE_NOT_FOUND;
}
static omnistore_status no_set(void *self, omnistore_call *call, omnistore_bytes key,
                               const omnistore_set_request *request, omnistore_sink *result) {
  (void)self, (void)call, (void)key, (void)request, (void)result;
  return OMNISTORE_OK;
}
static omnistore_status no_remove(void *self, omnistore_call *call, omnistore_bytes key,
                                  const omnistore_remove_request *request) {
  (void)self, (void)call, (void)key, (void)request;
  return OMNISTORE_NOT_FOUND;
}
static omnistore_status no_list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                omnistore_page *page) {
  (void)self, (void)call, (void)request, (void)page;
  return OMNISTORE_OK;
}

/* A plugin of the driver `driver`, which is defined before. */
#define PLUGIN(plugin_name)                                                                                            \
  static const omnistore_driver *const drivers[] = {&driver};                                                          \
  static const omnistore_plugin plugin = {                                                                             \
      sizeof(omnistore_plugin), OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR, 0, plugin_name, "1.0.0", 1, 0, drivers};     \
  const omnistore_plugin *omnistore_plugin_entry(const omnistore_abi *host) {                                          \
    (void)host;                                                                                                        \
    return &plugin;                                                                                                    \
  }
