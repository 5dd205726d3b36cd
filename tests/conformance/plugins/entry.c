/* SPDX-License-Identifier: Apache-2.0
 * Plugins that are wrong as a whole, each in the way that its definition says:
 * ENTRY_OPENS, ENTRY_REFUSES_LATER_HOSTS, EXPORTS_MORE, UNKNOWN_FLAGS. */
#include <omnistore/driver.h>

#include <fcntl.h>

static omnistore_status OMNISTORE_CALL open_store(const omnistore_host *host, omnistore_call *call,
                                                  const omnistore_open_request *request, omnistore_traits *traits,
                                                  void **self) {
  (void)host, (void)call, (void)request, (void)traits;
  *self = NULL;
  return OMNISTORE_OK;
}
static void OMNISTORE_CALL close_store(void *self) { (void)self; }
static omnistore_status OMNISTORE_CALL give(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_sink *sink) {
  (void)self, (void)call, (void)key, (void)request, (void)sink;
  return OMNISTORE_NOT_FOUND;
}
static omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_set_request *request, omnistore_sink *result) {
  (void)self, (void)call, (void)key, (void)request, (void)result;
  return OMNISTORE_READ_ONLY;
}
static omnistore_status OMNISTORE_CALL take(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_remove_request *request) {
  (void)self, (void)call, (void)key, (void)request;
  return OMNISTORE_READ_ONLY;
}
static omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                            omnistore_page *page) {
  (void)self, (void)call, (void)request, (void)page;
  return OMNISTORE_OK;
}

static const omnistore_traits traits = {
    .size = sizeof traits, .thread_model = OMNISTORE_PARALLEL, .capabilities = OMNISTORE_READS_ONLY};
static const omnistore_driver driver = {.size = sizeof driver,
                                        .name = "entry",
                                        .version = "1.0.0",
                                        .summary = "An empty store",
                                        .traits = &traits,
                                        .open = open_store,
                                        .close = close_store,
                                        .get = give,
                                        .stat = give,
                                        .set = set,
                                        .remove = take,
                                        .list = list};
static const omnistore_driver *const drivers[] = {&driver};
static const omnistore_plugin plugin = {.size = sizeof plugin,
                                        .abi_major = OMNISTORE_ABI_MAJOR,
                                        .abi_minor = OMNISTORE_ABI_MINOR,
#ifdef UNKNOWN_FLAGS
                                        .flags = 0x80000000u,
#endif
                                        .driver_count = 1,
                                        .drivers = drivers};

#ifdef EXPORTS_MORE
OMNISTORE_EXPORT int helper(void);
int helper(void) { return 1; }
#endif

OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) {
  (void)host;
#ifdef ENTRY_OPENS
  if (open("/dev/null", O_RDONLY) < 0) return NULL;
#endif
#ifdef ENTRY_REFUSES_LATER_HOSTS
  if (host->minor > OMNISTORE_ABI_MINOR) return NULL;
#endif
  return &plugin;
}
