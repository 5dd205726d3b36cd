/* SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of one driver whose every function but `remove`, which returns `ANSWER`, does nothing. The definitions below
 * are what a test's CMakeLists.txt changes to make it good or bad in one way.
 */
#include <omnistore/driver.h>

#ifndef BUILT_MAJOR
#define BUILT_MAJOR OMNISTORE_ABI_MAJOR
#endif
#ifndef BUILT_MINOR
#define BUILT_MINOR OMNISTORE_ABI_MINOR
#endif
#ifndef NAME
#define NAME "sample"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef SCHEMA
#define SCHEMA 0
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef ANSWER
#define ANSWER OMNISTORE_NOT_FOUND
#endif
#ifndef THREAD_MODEL
#define THREAD_MODEL OMNISTORE_PARALLEL
#endif
#ifndef TRAITS_SIZE
#define TRAITS_SIZE sizeof(omnistore_traits)
#endif
#ifndef TRAITS
#define TRAITS &traits
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(table)
#endif
#ifndef DRIVER_COUNT
#define DRIVER_COUNT sizeof(drivers) / sizeof(drivers[0])
#endif
#ifndef DRIVERS
#define DRIVERS drivers
#endif
#ifndef LIST
#define LIST &table.known
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(omnistore_plugin)
#endif
#ifndef MIN_CHILDREN
#define MIN_CHILDREN 0
#endif
#ifndef WITHOUT_CLOSE_AND_LIST
#define CLOSE close_store
#define LIST_KEYS list
#else
#define CLOSE 0
#define LIST_KEYS 0
#endif
#ifndef UNWATCH
#define UNWATCH unwatch
#endif

#ifdef HIDES_ENTRY
__asm__(".hidden omnistore_plugin_entry");
#endif
#ifdef NEEDS_MISSING_SYMBOL
extern int a_symbol_that_no_library_has(void);
#endif
#ifdef NEEDS_HELPER
extern int helper_answer(void);
#endif

static omnistore_status open_store(const omnistore_host *host, omnistore_call *call,
                                   const omnistore_open_request *request, omnistore_traits *store_traits, void **self) {
  (void)host, (void)call, (void)request;
#ifdef OPENS_WITH_THREAD_MODEL
  store_traits->thread_model = OPENS_WITH_THREAD_MODEL;
#else
  (void)store_traits;
#endif
  *self = 0;
  return OMNISTORE_OK;
}

#ifndef WITHOUT_CLOSE_AND_LIST
static void close_store(void *self) { (void)self; }

static omnistore_status list(void *self, omnistore_call *call, const omnistore_list_request *request,
                             omnistore_page *page) {
  (void)self, (void)call, (void)request, (void)page;
  return OMNISTORE_OK;
}
#endif

static omnistore_status get(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_get_request *request,
                            omnistore_sink *sink) {
  (void)self, (void)call, (void)key, (void)request, (void)sink;
  return OMNISTORE_NOT_FOUND;
}

static omnistore_status set(void *self, omnistore_call *call, omnistore_bytes key, const omnistore_set_request *request,
                            omnistore_sink *result) {
  (void)self, (void)call, (void)key, (void)request, (void)result;
  return OMNISTORE_OK;
}

static omnistore_status remove_key(void *self, omnistore_call *call, omnistore_bytes key,
                                   const omnistore_remove_request *request) {
  (void)self, (void)call, (void)key, (void)request;
#ifdef NEEDS_MISSING_SYMBOL
  return a_symbol_that_no_library_has();
#elif defined(NEEDS_HELPER)
  return helper_answer();
#else
  return ANSWER;
#endif
}

static omnistore_status clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                              omnistore_page *removed) {
  (void)self, (void)call, (void)request, (void)removed;
  return OMNISTORE_OK;
}

static omnistore_status get_many(void *self, omnistore_call *call, const omnistore_bytes *keys, uint32_t count,
                                 const omnistore_get_request *const *requests, omnistore_sink *const *sinks,
                                 omnistore_status *statuses) {
  (void)self, (void)call, (void)keys, (void)count, (void)requests, (void)sinks, (void)statuses;
  return OMNISTORE_OK;
}

static omnistore_status watch(void *self, omnistore_call *call, const omnistore_watch_request *request,
                              omnistore_watcher *watcher, void **id) {
  (void)self, (void)call, (void)request, (void)watcher, (void)id;
  return OMNISTORE_OK;
}

static inline void unwatch(void *self, void *id) { (void)self, (void)id; }

static const omnistore_traits traits = {.size = TRAITS_SIZE, .thread_model = THREAD_MODEL, .max_key_size = 77};

/* The driver's table as a later minor could have it: with fields that this header does not know. */
typedef struct later_driver {
  omnistore_driver known;
#ifdef LARGER
  void *unknown[8];
#endif
} later_driver;

static const later_driver table = {.known = {.size = TABLE_SIZE,
                                             .name = NAME,
                                             .version = VERSION,
                                             .summary = "A sample",
                                             .options_schema = SCHEMA,
                                             .min_children = MIN_CHILDREN,
                                             .traits = TRAITS,
                                             .open = open_store,
                                             .close = CLOSE,
                                             .get = get,
                                             .stat = get,
                                             .set = set,
                                             .remove = remove_key,
                                             .list = LIST_KEYS,
                                             .clear = clear,
                                             .get_many = get_many,
                                             .watch = watch,
                                             .unwatch = UNWATCH},
#ifdef LARGER
                                   .unknown = {(void *)1, (void *)2}
#endif
};

#ifdef SECOND_NAME
static const omnistore_driver second = {.size = sizeof(omnistore_driver),
                                        .name = SECOND_NAME,
                                        .version = VERSION,
                                        .traits = &traits,
                                        .open = open_store,
                                        .close = close_store,
                                        .get = get,
                                        .stat = get,
                                        .set = set,
                                        .remove = remove_key,
                                        .list = list};
#define SECOND , &second
#else
#define SECOND
#endif

static const omnistore_driver *const drivers[] = {LIST SECOND};

static const omnistore_plugin plugin = {.size = PLUGIN_SIZE,
                                        .abi_major = BUILT_MAJOR,
                                        .abi_minor = BUILT_MINOR,
                                        .flags = FLAGS,
                                        .name = "Samples",
                                        .version = "3.2.1",
                                        .driver_count = DRIVER_COUNT,
                                        .drivers = DRIVERS};

const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) {
#ifdef RETURNS_NULL
  (void)traits, (void)drivers, (void)plugin, (void)host;
  return 0;
#else
  (void)traits, (void)drivers;
  return host->major >= 1 ? &plugin : 0;
#endif
}
