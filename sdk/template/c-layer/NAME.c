/* SPDX-License-Identifier: Apache-2.0
 * @NAME@: a layer in plain C that passes every operation to the store below it, and logs writes. Add your own code.
 *
 * The functions of a child are those of its table, each of which the host has filled in. A call, a request and a sink
 * that are passed on are passed on as pointers, so that what later headers add to them reaches the child. */
#include <omnistore/driver.h>
#include <omnistore_schema.h>
#include <stdlib.h>
#include <string.h>

/* The capabilities that this layer has if its child has them, since the functions below pass everything down unchanged.
 */
#define PASSED_ON                                                                                                      \
  (OMNISTORE_READS_ONLY | OMNISTORE_NEVER_BLOCKS | OMNISTORE_SHARED | OMNISTORE_NESTS | OMNISTORE_CAN_TTL |            \
   OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |                      \
   OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH |                         \
   OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS)

typedef struct layer {
  const omnistore_host *host;
  const omnistore_store *child;
  int logs;
} layer;

static omnistore_status OMNISTORE_CALL open_layer(const omnistore_host *host, omnistore_call *call,
                                                  const omnistore_open_request *request, omnistore_traits *traits,
                                                  void **self) {
  layer *l = malloc(sizeof *l);
  if (!l) {
    const omnistore_failure failure = {sizeof failure, 0, {"out of memory", 13}, 0, OMNISTORE_NOTHING_DONE, 0};
    call->fail(call, &failure);
    return OMNISTORE_NO_SPACE;
  }
  /* The host has checked the options: `log` is the only one, and a `t` begins its `true`. For more, use a JSON parser.
   */
  const int logs = request->options.size && memchr(request->options.data, 't', (size_t)request->options.size);
  *l = (layer){host, request->children[0], logs};
  /* The store's traits are the child's: of each struct, the part that both sides know. */
  const omnistore_traits *below = l->child->traits;
  const uint32_t size = traits->size;
  memcpy(traits, below, below->size < size ? below->size : size);
  traits->size = size;
  traits->thread_model = OMNISTORE_PARALLEL; /* the host locks a serialized child */
  traits->capabilities &= PASSED_ON;
  *self = l;
  return OMNISTORE_OK;
}

static void OMNISTORE_CALL close_layer(void *self) { free(self); }

/* Logs a write, such as "set a:b". */
static void log_write(const layer *l, const char *operation, omnistore_bytes key) {
  char line[32 + OMNISTORE_MAX_KEY_SIZE];
  const size_t size = strlen(operation);
  if (!l->logs || key.size > OMNISTORE_MAX_KEY_SIZE) return;
  memcpy(line, operation, size);
  if (key.size) memcpy(line + size, key.data, (size_t)key.size);
  l->host->log(l->host, OMNISTORE_LOG_INFO, (omnistore_bytes){line, size + key.size});
}

static omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_get_request *request, omnistore_sink *sink) {
  const omnistore_store *child = ((layer *)self)->child;
  return child->driver->get(child->self, call, key, request, sink);
}

static omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_sink *sink) {
  const omnistore_store *child = ((layer *)self)->child;
  return child->driver->stat(child->self, call, key, request, sink);
}

static omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_set_request *request, omnistore_sink *result) {
  const omnistore_store *child = ((layer *)self)->child;
  log_write(self, "set ", key);
  return child->driver->set(child->self, call, key, request, result);
}

static omnistore_status OMNISTORE_CALL remove_key(void *self, omnistore_call *call, omnistore_bytes key,
                                                  const omnistore_remove_request *request) {
  const omnistore_store *child = ((layer *)self)->child;
  log_write(self, "remove ", key);
  return child->driver->remove(child->self, call, key, request);
}

static omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_touch_request *request) {
  const omnistore_store *child = ((layer *)self)->child;
  log_write(self, "touch ", key);
  return child->driver->touch(child->self, call, key, request);
}

static omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                            omnistore_page *page) {
  const omnistore_store *child = ((layer *)self)->child;
  return child->driver->list(child->self, call, request, page);
}

static omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                             omnistore_page *removed) {
  const omnistore_store *child = ((layer *)self)->child;
  log_write(self, "clear ", request->base);
  return child->driver->clear(child->self, call, request, removed);
}

/* clang-format off */
static const omnistore_traits traits = {.size = sizeof traits, .thread_model = OMNISTORE_PARALLEL};
static const omnistore_driver driver = {.size = sizeof driver, .name = "@NAME@", .version = "0.1.0",
  .summary = "Logs writes", .options_schema = OMNISTORE_OPTIONS_SCHEMA, .min_children = 1, .max_children = 1,
  .traits = &traits, .open = open_layer, .close = close_layer, .get = get, .stat = stat, .set = set,
  .remove = remove_key, .list = list, .clear = clear, .touch = touch};
static const omnistore_plugin plugin = {.size = sizeof plugin, .abi_major = OMNISTORE_ABI_MAJOR,
  .abi_minor = OMNISTORE_ABI_MINOR, .flags = OMNISTORE_PLUGIN_UNLOADS, .driver_count = 1,
  .drivers = (const omnistore_driver *const[]){&driver}};
const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) { return (void)host, &plugin; }
