/* SPDX-License-Identifier: Apache-2.0
 * A driver that prints, and takes the program down if a key says so: "segfault", "abort", "exit". */
#include "plugin.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((constructor)) static void loaded(void) { puts("printed while it was loaded"); }

static omnistore_status open_(const omnistore_host *host, omnistore_call *call, const omnistore_open_request *request,
                              omnistore_traits *traits, void **self) {
  (void)host, (void)call, (void)request, (void)traits, (void)self;
  puts("printed while it was opened");
  return OMNISTORE_OK;
}
static void close_(void *self) { (void)self; }
static int is(omnistore_bytes key, const char *name) {
  return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}
static omnistore_status get(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                            omnistore_sink *sink) {
  (void)self, (void)call, (void)request;
  puts("printed while it was asked");
  if (is(key, "segfault")) *(volatile int *)0 = 1;
  if (is(key, "abort")) abort();
  if (is(key, "exit")) exit(3);
  if (is(key, "mute")) return OMNISTORE_OK;
  const omnistore_meta meta = {sizeof meta, 0, 5, 0, 0, {0, 0}, {0, 0}};
  const omnistore_status status = sink->begin(sink, &meta, NULL);
  return status == OMNISTORE_OK ? sink->write(sink, "value", 5) : status;
}

static const omnistore_traits traits = {.size = sizeof(omnistore_traits),
                                        .thread_model = OMNISTORE_PARALLEL,
                                        .capabilities = OMNISTORE_CAN_TTL | OMNISTORE_CAN_RANGE | OMNISTORE_SHARED};
static const omnistore_driver driver = {.size = sizeof(omnistore_driver),
                                        .name = "rude",
                                        .version = "1.0.0",
                                        .summary = "Prints and takes the program down",
                                        .traits = &traits,
                                        .open = open_,
                                        .close = close_,
                                        .get = get,
                                        .stat = no_stat,
                                        .set = no_set,
                                        .remove = no_remove,
                                        .list = no_list};
PLUGIN("rude")
