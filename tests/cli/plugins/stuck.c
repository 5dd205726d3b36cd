/* SPDX-License-Identifier: Apache-2.0
 * A driver that hangs for ever in the function that its option `in` names: "open", "close", "get", "set", "list",
 * "clear", "watch", "unwatch". It prints "stuck in get" when it does, and "closed" when a store of it is closed. */
#include <omnistore/driver.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct store {
  char in[16];
};

static void maybe(const struct store *store, const char *function) {
  if (strcmp(store->in, function) != 0) return;
  fprintf(stderr, "stuck in %s\n", function);
  for (;;) pause();
}

static omnistore_status open_(const omnistore_host *host, omnistore_call *call, const omnistore_open_request *request,
                              omnistore_traits *traits, void **self) {
  (void)host, (void)call, (void)traits;
  struct store *store = calloc(1, sizeof *store);
  if (!store) return OMNISTORE_INTERNAL;
  char text[64] = {0};
  const size_t size = request->options.size < sizeof text - 1 ? (size_t)request->options.size : sizeof text - 1;
  memcpy(text, request->options.data, size);
  const char *in = strstr(text, "\"in\":\"");
  if (in) sscanf(in + strlen("\"in\":\""), "%15[a-z]", store->in);
  *self = store;
  maybe(store, "open");
  return OMNISTORE_OK;
}
static void close_(void *self) {
  maybe(self, "close");
  fprintf(stderr, "closed\n");
  free(self);
}
static omnistore_status get(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                            omnistore_sink *sink) {
  (void)call, (void)key, (void)request, (void)sink;
  maybe(self, "get");
  return OMNISTORE_NOT_FOUND;
}
static omnistore_status stat_(void *self, omnistore_call *call, omnistore_bytes key,
                              const omnistore_get_request *request, omnistore_sink *sink) {
  return get(self, call, key, request, sink);
}
static omnistore_status set(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                            omnistore_sink *result) {
  (void)call, (void)key, (void)request, (void)result;
  maybe(self, "set");
  return OMNISTORE_OK;
}
static omnistore_status remove_(void *self, omnistore_call *call, omnistore_bytes key,
                                const omnistore_remove_request *request) {
  (void)self, (void)call, (void)key, (void)request;
  return OMNISTORE_NOT_FOUND;
}
static omnistore_status list(void *self, omnistore_call *call, const omnistore_list_request *request,
                             omnistore_page *page) {
  (void)call, (void)request, (void)page;
  maybe(self, "list");
  return OMNISTORE_OK;
}
static omnistore_status clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                              omnistore_page *removed) {
  (void)call, (void)request, (void)removed;
  maybe(self, "clear");
  return OMNISTORE_OK;
}
static omnistore_status watch(void *self, omnistore_call *call, const omnistore_watch_request *request,
                              omnistore_watcher *watcher, void **watched) {
  (void)call, (void)request, (void)watcher;
  *watched = NULL;
  maybe(self, "watch");
  return OMNISTORE_OK;
}
static void unwatch(void *self, void *watched) {
  (void)watched;
  maybe(self, "unwatch");
}

static const omnistore_traits traits = {.size = sizeof(omnistore_traits),
                                        .thread_model = OMNISTORE_PARALLEL,
                                        .capabilities = OMNISTORE_CAN_TTL | OMNISTORE_CAN_RANGE | OMNISTORE_SHARED};
static const omnistore_driver driver = {.size = sizeof(omnistore_driver),
                                        .name = "stuck",
                                        .version = "1.0.0",
                                        .summary = "Hangs",
                                        .options_schema =
                                            "{\"type\": \"object\", \"properties\": {\"in\": {\"type\": \"string\"}}}",
                                        .traits = &traits,
                                        .open = open_,
                                        .close = close_,
                                        .get = get,
                                        .stat = stat_,
                                        .set = set,
                                        .remove = remove_,
                                        .list = list,
                                        .clear = clear,
                                        .watch = watch,
                                        .unwatch = unwatch};
static const omnistore_driver *const drivers[] = {&driver};
static const omnistore_plugin plugin = {
    sizeof(omnistore_plugin), OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR, 0, "stuck", "1.0.0", 1, 0, drivers};
const omnistore_plugin *omnistore_plugin_entry(const omnistore_abi *host) {
  (void)host;
  return &plugin;
}
