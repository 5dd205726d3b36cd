/* SPDX-License-Identifier: Apache-2.0
 * A driver that hangs for ever in the function that its option `in` names: "open", "close", "get", "stat", "set",
 * "remove", "list", "clear", "touch", "watch", "unwatch". It prints "stuck in get" when it does, and "closed" when a
 * store of it is closed. */
#include "plugin.h"
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
  maybe(self, "get");
  return no_stat(self, call, key, request, sink);
}
static omnistore_status stat_(void *self, omnistore_call *call, omnistore_bytes key,
                              const omnistore_get_request *request, omnistore_sink *sink) {
  maybe(self, "stat");
  return no_stat(self, call, key, request, sink);
}
static omnistore_status set(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                            omnistore_sink *result) {
  maybe(self, "set");
  return no_set(self, call, key, request, result);
}
static omnistore_status remove_(void *self, omnistore_call *call, omnistore_bytes key,
                                const omnistore_remove_request *request) {
  maybe(self, "remove");
  return no_remove(self, call, key, request);
}
static omnistore_status list(void *self, omnistore_call *call, const omnistore_list_request *request,
                             omnistore_page *page) {
  maybe(self, "list");
  return no_list(self, call, request, page);
}
static omnistore_status clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                              omnistore_page *removed) {
  (void)call, (void)request, (void)removed;
  maybe(self, "clear");
  return OMNISTORE_OK;
}
static omnistore_status touch(void *self, omnistore_call *call, omnistore_bytes key,
                              const omnistore_touch_request *request) {
  (void)call, (void)key, (void)request;
  maybe(self, "touch");
  return OMNISTORE_NOT_FOUND;
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
                                        .touch = touch,
                                        .watch = watch,
                                        .unwatch = unwatch};
PLUGIN("stuck")
