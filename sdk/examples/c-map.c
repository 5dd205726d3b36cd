/* SPDX-License-Identifier: Apache-2.0
 * A driver in plain C, without a helper: a map that is kept as an array of entries, sorted by key.
 *
 * A look-up is a binary search. A listing finds its place by the cursor, which is the last key of the page before, so
 * it goes on rightly whatever was set and removed in between. Setting a new key moves the entries behind it: right for
 * some ten thousand keys. The host calls one function at a time (OMNISTORE_SERIALIZED), so there is no lock. */
#include <omnistore/driver.h>

#include <stdlib.h>
#include <string.h>

typedef struct entry {
  char *key, *value; /* one allocation each; no NUL at the end */
  size_t key_size, value_size;
  int64_t mtime;
} entry;

typedef struct map {
  const omnistore_host *host;
  entry *entries;
  size_t count, room;
} map;

/* ------------------------------------------------------------------------------------------------------------ the map
 */

static int compare(const entry *e, omnistore_bytes key) {
  const size_t shorter = e->key_size < key.size ? e->key_size : (size_t)key.size;
  const int order = shorter ? memcmp(e->key, key.data, shorter) : 0;
  if (order) return order;
  return (e->key_size > key.size) - (e->key_size < key.size);
}

/* The first entry whose key is not before `key`; *found: it is that very key. */
static size_t lower_bound(const map *m, omnistore_bytes key, int *found) {
  size_t low = 0, high = m->count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (compare(&m->entries[middle], key) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *found = low < m->count && compare(&m->entries[low], key) == 0;
  return low;
}

static char *copy(omnistore_bytes bytes) {
  char *to = malloc(bytes.size ? (size_t)bytes.size : 1);
  if (to && bytes.size) memcpy(to, bytes.data, (size_t)bytes.size);
  return to;
}

static int make_room(map *m) {
  if (m->count < m->room) return 1;
  const size_t room = m->room ? 2 * m->room : 16;
  entry *entries = realloc(m->entries, room * sizeof *entries);
  if (!entries) return 0;
  m->entries = entries;
  m->room = room;
  return 1;
}

static omnistore_status no_memory(omnistore_call *call) {
  static const char message[] = "out of memory";
  const omnistore_failure failure = {
      .size = sizeof failure, .message = {message, sizeof message - 1}, .flags = OMNISTORE_NOTHING_DONE};
  call->fail(call, &failure);
  return OMNISTORE_NO_SPACE;
}

static omnistore_meta meta_of(const entry *e) {
  omnistore_meta meta = {0};
  meta.size = sizeof meta;
  meta.value_size = e->value_size;
  meta.mtime = e->mtime;
  return meta;
}

/* ------------------------------------------------------------------------------------------------- the driver's table
 */

static omnistore_status OMNISTORE_CALL map_open(const omnistore_host *host, omnistore_call *call,
                                                const omnistore_open_request *request, omnistore_traits *traits,
                                                void **self) {
  (void)request; /* no options, no children */
  (void)traits;
  map *m = calloc(1, sizeof *m);
  if (!m) return no_memory(call);
  m->host = host;
  *self = m;
  return OMNISTORE_OK;
}

static void OMNISTORE_CALL map_close(void *self) {
  map *m = self;
  for (size_t i = 0; i < m->count; ++i) {
    free(m->entries[i].key);
    free(m->entries[i].value);
  }
  free(m->entries);
  free(m);
}

static omnistore_status OMNISTORE_CALL map_stat(void *self, omnistore_call *call, omnistore_bytes key,
                                                const omnistore_get_request *request, omnistore_sink *sink) {
  (void)call;
  (void)request;
  const map *m = self;
  int found;
  const size_t at = lower_bound(m, key, &found);
  if (!found) return OMNISTORE_NOT_FOUND;
  const omnistore_meta meta = meta_of(&m->entries[at]);
  return sink->begin(sink, &meta, NULL);
}

static omnistore_status OMNISTORE_CALL map_get(void *self, omnistore_call *call, omnistore_bytes key,
                                               const omnistore_get_request *request, omnistore_sink *sink) {
  (void)call;
  (void)request; /* always the whole value: ranges are the host's without OMNISTORE_CAN_RANGE */
  const map *m = self;
  int found;
  const size_t at = lower_bound(m, key, &found);
  if (!found) return OMNISTORE_NOT_FOUND;
  const entry *e = &m->entries[at];
  const omnistore_meta meta = meta_of(e);
  const omnistore_status status = sink->begin(sink, &meta, NULL);
  if (status != OMNISTORE_OK || e->value_size == 0) return status;
  return sink->write(sink, e->value, e->value_size);
}

static omnistore_status OMNISTORE_CALL map_set(void *self, omnistore_call *call, omnistore_bytes key,
                                               const omnistore_set_request *request, omnistore_sink *result) {
  (void)result; /* only for drivers that give etags */
  map *m = self;
  int found;
  const size_t at = lower_bound(m, key, &found);

  /* Everything that can fail comes before anything is changed. */
  char *value = copy(request->value);
  if (!value) return no_memory(call);
  if (!found) {
    char *name = copy(key);
    if (!name || !make_room(m)) {
      free(name);
      free(value);
      return no_memory(call);
    }
    memmove(&m->entries[at + 1], &m->entries[at], (m->count - at) * sizeof *m->entries);
    const entry fresh = {.key = name, .value = NULL, .key_size = (size_t)key.size, .value_size = 0, .mtime = 0};
    m->entries[at] = fresh;
    ++m->count;
  }
  entry *e = &m->entries[at];
  free(e->value);
  e->value = value;
  e->value_size = (size_t)request->value.size;
  e->mtime = m->host->now(m->host);
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL map_remove(void *self, omnistore_call *call, omnistore_bytes key,
                                                  const omnistore_remove_request *request) {
  (void)call;
  (void)request;
  map *m = self;
  int found;
  const size_t at = lower_bound(m, key, &found);
  if (!found) return OMNISTORE_NOT_FOUND;
  free(m->entries[at].key);
  free(m->entries[at].value);
  --m->count;
  memmove(&m->entries[at], &m->entries[at + 1], (m->count - at) * sizeof *m->entries);
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL map_list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                                omnistore_page *page) {
  (void)call;
  const map *m = self;
  const omnistore_bytes base = request->base;
  int found = 0;
  size_t at = request->cursor.size ? lower_bound(m, request->cursor, &found) : lower_bound(m, base, &found);
  if (request->cursor.size && found) ++at; /* the cursor's own key was in the page before */

  omnistore_bytes last = {NULL, 0};
  for (uint32_t emitted = 0; at < m->count; ++at, ++emitted) {
    const entry *e = &m->entries[at];
    if (base.size && (e->key_size < base.size || memcmp(e->key, base.data, (size_t)base.size) != 0)) break;
    if (emitted == request->limit) {
      page->next(page, last);
      break;
    }
    const omnistore_meta meta = meta_of(e);
    last.data = e->key;
    last.size = e->key_size;
    const omnistore_status status = page->emit(page, last, request->flags & OMNISTORE_LIST_META ? &meta : NULL);
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

static const omnistore_traits traits = {
    .size = sizeof(omnistore_traits),
    .thread_model = OMNISTORE_SERIALIZED,
    .capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_LIST_META,
    .keeps = OMNISTORE_KEEPS_NOTHING,
    .order = OMNISTORE_ORDER_KEYS,
};

static const omnistore_driver driver = {
    .size = sizeof(omnistore_driver),
    .name = "c-map",
    .version = "1.0.0",
    .summary = "A sorted array in plain C",
    .traits = &traits,
    .open = map_open,
    .close = map_close,
    .get = map_get,
    .stat = map_stat,
    .set = map_set,
    .remove = map_remove,
    .list = map_list,
};

static const omnistore_driver *const drivers[] = {&driver};
static const omnistore_plugin plugin = {
    .size = sizeof(omnistore_plugin),
    .abi_major = OMNISTORE_ABI_MAJOR,
    .abi_minor = OMNISTORE_ABI_MINOR,
    .flags = OMNISTORE_PLUGIN_UNLOADS,
    .name = "c-map",
    .version = "1.0.0",
    .driver_count = 1,
    .drivers = drivers,
};

const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) {
  (void)host;
  return &plugin;
}
