/* SPDX-License-Identifier: Apache-2.0
 *
 * Drivers of another minor: compiled against a driver.h whose structs are longer or shorter than this host's
 * (CMakeLists makes it). `leaf` keeps up to 64 values; `passing` hands all to its child, with requests, sinks, pages,
 * calls and watchers of its own size. The end of a longer struct is garbage. */
#include <stdlib.h>
#include <string.h>

#include <omnistore/driver.h>

#ifdef LATER
#define NAME(kind) kind "-later"
#define GARBAGE , .later = {0xa5a5a5a5a5a5a5a5u, 0xa5a5a5a5a5a5a5a5u}
#else
#define NAME(kind) kind "-earlier"
#define GARBAGE
#endif
#ifdef EARLIER
#define HAS_USER 0
#else
#define HAS_USER 1
#endif

enum { most = 64 };

typedef struct value {
  char *key, *bytes, *user;
  size_t key_size, size, user_size;
  int64_t expiry;
} value;

typedef struct leaf {
  value values[most];
  omnistore_watcher *watcher;
} leaf;

static char *copy(omnistore_bytes bytes) {
  char *made = malloc((size_t)bytes.size + 1);
  if (made && bytes.size) memcpy(made, bytes.data, (size_t)bytes.size);
  return made;
}

static omnistore_status say(omnistore_call *call, uint32_t item, omnistore_status status, const char *text) {
  const omnistore_failure failure = {.size = sizeof failure, .item = item, .message = {text, strlen(text)} GARBAGE};
  call->fail(call, &failure);
  return status;
}

static value *find(leaf *l, omnistore_bytes key) {
  for (int i = 0; i < most; ++i)
    if (l->values[i].key && l->values[i].key_size == key.size &&
        memcmp(l->values[i].key, key.data, (size_t)key.size) == 0)
      return &l->values[i];
  return NULL;
}

static void tell(leaf *l, uint32_t type, omnistore_bytes key) {
  const omnistore_event event = {.size = sizeof event,
                                 .type = type,
                                 .cause = type == OMNISTORE_EVENT_REMOVE ? OMNISTORE_CAUSE_REMOVED : 0,
                                 .key = key GARBAGE};
  if (l->watcher) l->watcher->event(l->watcher, &event);
}

static omnistore_status OMNISTORE_CALL leaf_open(const omnistore_host *host, omnistore_call *call,
                                                 const omnistore_open_request *request, omnistore_traits *traits,
                                                 void **self) {
  (void)host, (void)call, (void)request;
  if (traits->size < offsetof(omnistore_traits, min_ttl)) return OMNISTORE_INTERNAL;
  *self = calloc(1, sizeof(leaf));
  return *self ? OMNISTORE_OK : OMNISTORE_NO_SPACE;
}

static void drop(value *v) {
  free(v->key), free(v->bytes), free(v->user);
  memset(v, 0, sizeof *v);
}

static void OMNISTORE_CALL leaf_close(void *self) {
  leaf *l = self;
  for (int i = 0; i < most; ++i) drop(&l->values[i]);
  free(l);
}

static omnistore_status begin(const value *v, omnistore_sink *sink) {
  omnistore_meta meta = {.size = sizeof meta, .value_size = v->size, .expiry = v->expiry GARBAGE};
#if HAS_USER
  meta.flags = OMNISTORE_META_USER;
  meta.user = (omnistore_bytes){v->user, v->user_size};
#endif
  return sink->begin(sink, &meta, NULL);
}

static omnistore_status OMNISTORE_CALL leaf_stat(void *self, omnistore_call *call, omnistore_bytes key,
                                                 const omnistore_get_request *request, omnistore_sink *sink) {
  (void)call, (void)request;
  const value *v = find(self, key);
  return v ? begin(v, sink) : OMNISTORE_NOT_FOUND;
}

static omnistore_status OMNISTORE_CALL leaf_get(void *self, omnistore_call *call, omnistore_bytes key,
                                                const omnistore_get_request *request, omnistore_sink *sink) {
  (void)request;
  const value *v = find(self, key);
  if (!v)
    return key.size == 4 && memcmp(key.data, "fail", 4) == 0 ? say(call, 0, OMNISTORE_IO, "as told")
                                                             : OMNISTORE_NOT_FOUND;
  const omnistore_status status = begin(v, sink);
  return status != OMNISTORE_OK ? status : sink->write(sink, v->bytes, v->size);
}

static omnistore_status OMNISTORE_CALL leaf_set(void *self, omnistore_call *call, omnistore_bytes key,
                                                const omnistore_set_request *request, omnistore_sink *result) {
  (void)call, (void)result;
  leaf *l = self;
  value *v = find(l, key);
  if (v) drop(v);
  for (int i = 0; !v && i < most; ++i)
    if (!l->values[i].key) v = &l->values[i];
  if (!v) return OMNISTORE_NO_SPACE;
  *v =
      (value){copy(key), copy(request->value), NULL, (size_t)key.size, (size_t)request->value.size, 0, request->expiry};
#if HAS_USER
  if (OMNISTORE_HAS(omnistore_set_request, request, user)) {
    v->user = copy(request->user);
    v->user_size = (size_t)request->user.size;
  }
#endif
  tell(l, OMNISTORE_EVENT_UPDATE, key);
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL leaf_remove(void *self, omnistore_call *call, omnistore_bytes key,
                                                   const omnistore_remove_request *request) {
  (void)call, (void)request;
  value *v = find(self, key);
  if (!v) return OMNISTORE_NOT_FOUND;
  drop(v);
  tell(self, OMNISTORE_EVENT_REMOVE, key);
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL leaf_list(void *self, omnistore_call *call,
                                                 const omnistore_list_request *request, omnistore_page *page) {
  (void)call;
  const leaf *l = self;
  uint32_t left = request->limit;
  uint64_t at = 0;
  if (request->cursor.size == sizeof at) memcpy(&at, request->cursor.data, sizeof at);
  for (; at < most; ++at) {
    const value *v = &l->values[at];
    if (!v->key || v->key_size < request->base.size ||
        (request->base.size && memcmp(v->key, request->base.data, (size_t)request->base.size) != 0))
      continue;
    if (left-- == 0) {
      const omnistore_bytes cursor = {&at, sizeof at};
      page->next(page, cursor);
      break;
    }
    const omnistore_meta meta = {.size = sizeof meta, .value_size = v->size, .expiry = v->expiry GARBAGE};
    const omnistore_bytes key = {v->key, v->key_size};
    const omnistore_status status = page->emit(page, key, request->flags & OMNISTORE_LIST_META ? &meta : NULL);
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL leaf_touch(void *self, omnistore_call *call, omnistore_bytes key,
                                                  const omnistore_touch_request *request) {
  (void)call;
  value *v = find(self, key);
  if (!v) return OMNISTORE_NOT_FOUND;
  if (request->flags & OMNISTORE_TOUCH_EXPIRY) v->expiry = request->expiry;
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL leaf_watch(void *self, omnistore_call *call,
                                                  const omnistore_watch_request *request, omnistore_watcher *watcher,
                                                  void **watch) {
  (void)call, (void)request;
  ((leaf *)self)->watcher = watcher;
  *watch = self;
  return OMNISTORE_OK;
}
static void OMNISTORE_CALL leaf_unwatch(void *self, void *watch) {
  (void)watch;
  ((leaf *)self)->watcher = NULL;
}

#define EACH(PREFIX, CALL)                                                                                             \
  for (uint32_t i = 0; i < count; ++i) statuses[i] = PREFIX##CALL;                                                     \
  return OMNISTORE_OK
static omnistore_status OMNISTORE_CALL leaf_get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                     uint32_t count, const omnistore_get_request *const *requests,
                                                     omnistore_sink *const *sinks, omnistore_status *statuses) {
  EACH(leaf_, get(self, call, keys[i], requests[i], sinks[i]));
}
static omnistore_status OMNISTORE_CALL leaf_stat_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                      uint32_t count, const omnistore_get_request *const *requests,
                                                      omnistore_sink *const *sinks, omnistore_status *statuses) {
  EACH(leaf_, stat(self, call, keys[i], requests[i], sinks[i]));
}
static omnistore_status OMNISTORE_CALL leaf_set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                     uint32_t count, const omnistore_set_request *const *requests,
                                                     omnistore_sink *const *results, omnistore_status *statuses) {
  (void)results;
  EACH(leaf_, set(self, call, keys[i], requests[i], NULL));
}
static omnistore_status OMNISTORE_CALL leaf_remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                        uint32_t count, const omnistore_remove_request *const *requests,
                                                        omnistore_status *statuses) {
  EACH(leaf_, remove(self, call, keys[i], requests[i]));
}

/* ------------------------------------------------------------------------------------------------------- the layer */

typedef struct layer {
  const omnistore_store *child;
} layer;

typedef struct passed_call {
  omnistore_call call;
  omnistore_call *outer;
} passed_call;
static int64_t OMNISTORE_CALL call_remaining(const omnistore_call *call) {
  const omnistore_call *outer = ((const passed_call *)call)->outer;
  return outer->remaining(outer);
}
static void OMNISTORE_CALL call_fail(omnistore_call *call, const omnistore_failure *failure) {
  const omnistore_failure again = {.size = sizeof again, .item = failure->item, .message = failure->message GARBAGE};
  ((passed_call *)call)->outer->fail(((passed_call *)call)->outer, &again);
}
static passed_call pass_call(omnistore_call *outer) {
  const passed_call made = {{.size = sizeof(omnistore_call),
                             .context = outer->context,
                             .remaining = call_remaining,
                             .fail = call_fail GARBAGE},
                            outer};
  return made;
}

typedef struct passed_sink {
  omnistore_sink sink;
  omnistore_sink *outer;
} passed_sink;
static omnistore_status OMNISTORE_CALL sink_begin(omnistore_sink *sink, const omnistore_meta *meta, void **buffer) {
  omnistore_meta again = {.size = sizeof again,
                          .flags = meta->flags,
                          .value_size = meta->value_size,
                          .mtime = meta->mtime,
                          .expiry = meta->expiry,
                          .etag = meta->etag GARBAGE};
#if HAS_USER
  if (OMNISTORE_HAS(omnistore_meta, meta, user)) again.user = meta->user;
#else
  again.flags &= ~OMNISTORE_META_USER;
#endif
  omnistore_sink *outer = ((passed_sink *)sink)->outer;
  return outer->begin(outer, &again, buffer);
}
static omnistore_status OMNISTORE_CALL sink_write(omnistore_sink *sink, const void *data, uint64_t size) {
  omnistore_sink *outer = ((passed_sink *)sink)->outer;
  return outer->write(outer, data, size);
}
static passed_sink pass_sink(omnistore_sink *outer) {
  const passed_sink made = {{.size = sizeof(omnistore_sink), .begin = sink_begin, .write = sink_write GARBAGE}, outer};
  return made;
}

typedef struct passed_page {
  omnistore_page page;
  omnistore_page *outer;
} passed_page;
static omnistore_status OMNISTORE_CALL page_emit(omnistore_page *page, omnistore_bytes key,
                                                 const omnistore_meta *meta) {
  omnistore_page *outer = ((passed_page *)page)->outer;
  return outer->emit(outer, key, meta);
}
static void OMNISTORE_CALL page_next(omnistore_page *page, omnistore_bytes cursor) {
  omnistore_page *outer = ((passed_page *)page)->outer;
  outer->next(outer, cursor);
}

static omnistore_status OMNISTORE_CALL layer_open(const omnistore_host *host, omnistore_call *call,
                                                  const omnistore_open_request *request, omnistore_traits *traits,
                                                  void **self) {
  (void)host, (void)call;
  layer *l = calloc(1, sizeof *l);
  if (!l) return OMNISTORE_NO_SPACE;
  l->child = request->children[0];
  traits->capabilities = l->child->traits->capabilities & ~(uint64_t)OMNISTORE_CAN_STREAM;
  if (!HAS_USER) traits->capabilities &= ~(uint64_t)OMNISTORE_CAN_META;
  *self = l;
  return OMNISTORE_OK;
}
static void OMNISTORE_CALL layer_close(void *self) { free(self); }

#define CHILD const omnistore_store *child = ((layer *)self)->child
static omnistore_status OMNISTORE_CALL layer_get(void *self, omnistore_call *call, omnistore_bytes key,
                                                 const omnistore_get_request *request, omnistore_sink *sink) {
  CHILD;
  const omnistore_get_request again = {
      .size = sizeof again, .flags = request->flags, .offset = request->offset, .length = request->length GARBAGE};
  passed_call c = pass_call(call);
  passed_sink s = pass_sink(sink);
  return child->driver->get(child->self, &c.call, key, &again, &s.sink);
}
static omnistore_status OMNISTORE_CALL layer_stat(void *self, omnistore_call *call, omnistore_bytes key,
                                                  const omnistore_get_request *request, omnistore_sink *sink) {
  CHILD;
  const omnistore_get_request again = {
      .size = sizeof again, .flags = request->flags, .offset = 0, .length = UINT64_MAX GARBAGE};
  passed_call c = pass_call(call);
  passed_sink s = pass_sink(sink);
  return child->driver->stat(child->self, &c.call, key, &again, &s.sink);
}
static omnistore_set_request set_again(const omnistore_set_request *request) {
  omnistore_set_request again = {.size = sizeof again,
                                 .value = request->value,
                                 .expiry = request->expiry,
                                 .condition = request->condition,
                                 .etag = request->etag GARBAGE};
#if HAS_USER
  if (OMNISTORE_HAS(omnistore_set_request, request, user)) again.user = request->user;
#endif
  return again;
}
static omnistore_status OMNISTORE_CALL layer_set(void *self, omnistore_call *call, omnistore_bytes key,
                                                 const omnistore_set_request *request, omnistore_sink *result) {
  CHILD;
  const omnistore_set_request again = set_again(request);
  passed_call c = pass_call(call);
  passed_sink s = pass_sink(result);
  return child->driver->set(child->self, &c.call, key, &again, result ? &s.sink : NULL);
}
static omnistore_status OMNISTORE_CALL layer_remove(void *self, omnistore_call *call, omnistore_bytes key,
                                                    const omnistore_remove_request *request) {
  CHILD;
  const omnistore_remove_request again = {
      .size = sizeof again, .condition = request->condition, .etag = request->etag GARBAGE};
  passed_call c = pass_call(call);
  return child->driver->remove(child->self, &c.call, key, &again);
}
static omnistore_status OMNISTORE_CALL layer_list(void *self, omnistore_call *call,
                                                  const omnistore_list_request *request, omnistore_page *page) {
  CHILD;
  const omnistore_list_request again = {.size = sizeof again,
                                        .flags = request->flags,
                                        .base = request->base,
                                        .depth = request->depth,
                                        .limit = request->limit,
                                        .cursor = request->cursor GARBAGE};
  passed_call c = pass_call(call);
  passed_page p = {{.size = sizeof(omnistore_page), .emit = page_emit, .next = page_next GARBAGE}, page};
  return child->driver->list(child->self, &c.call, &again, &p.page);
}
static omnistore_status OMNISTORE_CALL layer_touch(void *self, omnistore_call *call, omnistore_bytes key,
                                                   const omnistore_touch_request *request) {
  CHILD;
  const omnistore_touch_request again = {
      .size = sizeof again, .flags = request->flags, .expiry = request->expiry GARBAGE};
  passed_call c = pass_call(call);
  return child->driver->touch(child->self, &c.call, key, &again);
}
static omnistore_status OMNISTORE_CALL layer_get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                      uint32_t count, const omnistore_get_request *const *requests,
                                                      omnistore_sink *const *sinks, omnistore_status *statuses) {
  CHILD;
  if (count > most) return OMNISTORE_UNSUPPORTED;
  omnistore_get_request again[most];
  const omnistore_get_request *pointers[most];
  passed_sink passed[most];
  omnistore_sink *to[most];
  for (uint32_t i = 0; i < count; ++i) {
    const omnistore_get_request one = {.size = sizeof one,
                                       .flags = requests[i]->flags,
                                       .offset = requests[i]->offset,
                                       .length = requests[i]->length GARBAGE};
    again[i] = one, pointers[i] = &again[i];
    passed[i] = pass_sink(sinks[i]), to[i] = &passed[i].sink;
  }
  passed_call c = pass_call(call);
  return child->driver->get_many(child->self, &c.call, keys, count, pointers, to, statuses);
}
static omnistore_status OMNISTORE_CALL layer_set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                      uint32_t count, const omnistore_set_request *const *requests,
                                                      omnistore_sink *const *results, omnistore_status *statuses) {
  CHILD;
  (void)results;
  if (count > most) return OMNISTORE_UNSUPPORTED;
  omnistore_set_request again[most];
  const omnistore_set_request *pointers[most];
  for (uint32_t i = 0; i < count; ++i) again[i] = set_again(requests[i]), pointers[i] = &again[i];
  passed_call c = pass_call(call);
  return child->driver->set_many(child->self, &c.call, keys, count, pointers, NULL, statuses);
}

typedef struct passed_watcher {
  omnistore_watcher watcher;
  omnistore_watcher *outer;
  void *inner;
} passed_watcher;
static void OMNISTORE_CALL watcher_event(omnistore_watcher *watcher, const omnistore_event *event) {
  const omnistore_event again = {
      .size = sizeof again, .type = event->type, .cause = event->cause, .key = event->key GARBAGE};
  omnistore_watcher *outer = ((passed_watcher *)watcher)->outer;
  outer->event(outer, &again);
}
static omnistore_status OMNISTORE_CALL layer_watch(void *self, omnistore_call *call,
                                                   const omnistore_watch_request *request, omnistore_watcher *watcher,
                                                   void **watch) {
  CHILD;
  const omnistore_watch_request again = {.size = sizeof again, .base = request->base GARBAGE};
  passed_call c = pass_call(call);
  passed_watcher *w = malloc(sizeof *w);
  const passed_watcher made = {{.size = sizeof(omnistore_watcher), .event = watcher_event GARBAGE}, watcher, NULL};
  *w = made;
  const omnistore_status status = child->driver->watch(child->self, &c.call, &again, &w->watcher, &w->inner);
  *watch = w;
  if (status != OMNISTORE_OK) free(w);
  return status;
}
static void OMNISTORE_CALL layer_unwatch(void *self, void *watch) {
  CHILD;
  passed_watcher *w = watch;
  child->driver->unwatch(child->self, w->inner);
  free(w);
}

static const omnistore_traits traits = {.size = sizeof(omnistore_traits),
                                        .thread_model = OMNISTORE_SERIALIZED,
                                        .capabilities = OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_LIST_META |
                                                        OMNISTORE_WATCHES_OWN | (HAS_USER ? OMNISTORE_CAN_META : 0),
                                        .keeps = OMNISTORE_KEEPS_NOTHING GARBAGE};

static const omnistore_driver leaf_driver = {.size = sizeof(omnistore_driver),
                                             .name = NAME("leaf"),
                                             .version = "1.0.0",
                                             .summary = "Keeps 64 values",
                                             .traits = &traits,
                                             .open = leaf_open,
                                             .close = leaf_close,
                                             .get = leaf_get,
                                             .stat = leaf_stat,
                                             .set = leaf_set,
                                             .remove = leaf_remove,
                                             .list = leaf_list,
                                             .get_many = leaf_get_many,
                                             .stat_many = leaf_stat_many,
                                             .set_many = leaf_set_many,
                                             .remove_many = leaf_remove_many,
                                             .touch = leaf_touch,
                                             .watch = leaf_watch,
                                             .unwatch = leaf_unwatch GARBAGE};
static const omnistore_driver layer_driver = {.size = sizeof(omnistore_driver),
                                              .name = NAME("passing"),
                                              .version = "1.0.0",
                                              .summary = "Hands all on",
                                              .min_children = 1,
                                              .max_children = 1,
                                              .traits = &traits,
                                              .open = layer_open,
                                              .close = layer_close,
                                              .get = layer_get,
                                              .stat = layer_stat,
                                              .set = layer_set,
                                              .remove = layer_remove,
                                              .list = layer_list,
                                              .get_many = layer_get_many,
                                              .set_many = layer_set_many,
                                              .touch = layer_touch,
                                              .watch = layer_watch,
                                              .unwatch = layer_unwatch GARBAGE};
static const omnistore_driver *const drivers[] = {&leaf_driver, &layer_driver};
static const omnistore_plugin plugin = {.size = sizeof(omnistore_plugin),
                                        .abi_major = OMNISTORE_ABI_MAJOR,
                                        .abi_minor = OMNISTORE_ABI_MINOR,
                                        .name = NAME("growth"),
                                        .version = "1.0.0",
                                        .driver_count = 2,
                                        .drivers = drivers GARBAGE};

const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) {
  (void)host;
  return &plugin;
}
