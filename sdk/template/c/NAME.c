/* SPDX-License-Identifier: Apache-2.0
 * @NAME@: a driver in plain C, which keeps its values in an array of entries, sorted by key.
 *
 * The cursor of a listing is the last key of the page before, so that changes in between do no harm. The host calls one
 * function of a store at a time (OMNISTORE_SERIALIZED), so that the driver needs no lock. */
#include <omnistore/driver.h>
#include <omnistore_schema.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
  omnistore_bytes key, value; /* one allocation, which `key.data` points to: the key, then the value */
  int64_t mtime;
} entry;

typedef struct map {
  const omnistore_host *host;
  size_t count, capacity;
  entry entries[]; /* room for `capacity` of them */
} map;

static omnistore_status no_space(omnistore_call *call, const char *why) {
  const omnistore_failure failure = {sizeof failure, 0, {why, strlen(why)}, 0, OMNISTORE_NOTHING_DONE, 0};
  call->fail(call, &failure);
  return OMNISTORE_NO_SPACE;
}

/* Returns the index of the first entry whose key is not before `key`. Sets *found to 1 if it is that key, else 0. */
static size_t lower_bound(const map *m, omnistore_bytes key, int *found) {
  size_t low = 0, high = m->count;
  *found = 0;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    const omnistore_bytes at = m->entries[middle].key;
    const size_t shorter = (size_t)(at.size < key.size ? at.size : key.size);
    int order = shorter ? memcmp(at.data, key.data, shorter) : 0;
    if (order == 0) order = (at.size > key.size) - (at.size < key.size);
    *found |= order == 0;
    *(order < 0 ? &low : &high) = middle + (order < 0);
  }
  return low;
}

static entry *find(map *m, omnistore_bytes key) {
  int found;
  const size_t at = lower_bound(m, key, &found);
  return found ? &m->entries[at] : NULL;
}

static omnistore_status OMNISTORE_CALL open_map(const omnistore_host *host, omnistore_call *call,
                                                const omnistore_open_request *request, omnistore_traits *traits,
                                                void **self) {
  (void)traits; /* every store has the same */
  /* The host has checked the options: there is a number between `:` and `}`. For more options, use a JSON parser. */
  const char *colon = memchr(request->options.data, ':', (size_t)request->options.size);
  const size_t capacity = colon ? (size_t)strtoull(colon + 1, NULL, 10) : 10000;
  map *m = calloc(1, sizeof *m + capacity * sizeof *m->entries);
  if (!m) return no_space(call, "out of memory");
  *m = (map){.host = host, .capacity = capacity};
  *self = m;
  return OMNISTORE_OK;
}

static void OMNISTORE_CALL close_map(void *self) {
  for (map *m = self; m->count; --m->count) free((void *)m->entries[m->count - 1].key.data);
  free(self);
}

static omnistore_meta meta_of(const entry *e) {
  return (omnistore_meta){.size = sizeof(omnistore_meta), .value_size = e->value.size, .mtime = e->mtime};
}

static omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_sink *sink) {
  (void)call, (void)request;
  const entry *e = find(self, key);
  if (!e) return OMNISTORE_NOT_FOUND;
  const omnistore_meta meta = meta_of(e);
  return sink->begin(sink, &meta, NULL);
}

static omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_get_request *request, omnistore_sink *sink) {
  const omnistore_status status = stat(self, call, key, request, sink);
  const entry *e = find(self, key);
  return status == OMNISTORE_OK && e->value.size ? sink->write(sink, e->value.data, e->value.size) : status;
}

static omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_set_request *request, omnistore_sink *result) {
  (void)result; /* for drivers that give etags */
  map *m = self;
  int found;
  const size_t at = lower_bound(m, key, &found);
  /* Do everything that can fail before changing anything. */
  if (!found && m->count == m->capacity) return no_space(call, "as many values as `capacity` allows");
  char *bytes = malloc((size_t)(key.size + request->value.size));
  if (!bytes) return no_space(call, "out of memory");
  memcpy(bytes, key.data, (size_t)key.size);
  if (request->value.size) memcpy(bytes + key.size, request->value.data, (size_t)request->value.size);
  if (found)
    free((void *)m->entries[at].key.data);
  else
    memmove(&m->entries[at + 1], &m->entries[at], (m->count++ - at) * sizeof *m->entries);
  m->entries[at] = (entry){{bytes, key.size}, {bytes + key.size, request->value.size}, m->host->now(m->host)};
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL remove_key(void *self, omnistore_call *call, omnistore_bytes key,
                                                  const omnistore_remove_request *request) {
  (void)call, (void)request;
  map *m = self;
  entry *e = find(m, key);
  if (!e) return OMNISTORE_NOT_FOUND;
  free((void *)e->key.data);
  memmove(e, e + 1, (size_t)(&m->entries[m->count--] - (e + 1)) * sizeof *e);
  return OMNISTORE_OK;
}

static omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                            omnistore_page *page) {
  (void)call;
  const map *m = self;
  const omnistore_bytes base = request->base;
  int found;
  size_t at = lower_bound(m, request->cursor.size ? request->cursor : base, &found);
  if (request->cursor.size && found) ++at; /* it was the last key of the page before */
  for (uint32_t emitted = 0; at < m->count; ++at, ++emitted) {
    const entry *e = &m->entries[at];
    if (base.size && (e->key.size < base.size || memcmp(e->key.data, base.data, (size_t)base.size) != 0)) break;
    if (emitted == request->limit) return page->next(page, m->entries[at - 1].key), OMNISTORE_OK;
    const omnistore_meta meta = meta_of(e);
    const omnistore_status status = page->emit(page, e->key, request->flags & OMNISTORE_LIST_META ? &meta : NULL);
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

/* clang-format off */
static const omnistore_traits traits = {.size = sizeof traits, .thread_model = OMNISTORE_SERIALIZED,
  .capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_LIST_META,
  .keeps = OMNISTORE_KEEPS_NOTHING, .order = OMNISTORE_ORDER_KEYS};
static const omnistore_driver driver = {.size = sizeof driver, .name = "@NAME@", .version = "0.1.0",
  .summary = "Keeps values in a sorted array", .options_schema = OMNISTORE_OPTIONS_SCHEMA, .traits = &traits,
  .open = open_map, .close = close_map, .get = get, .stat = stat, .set = set, .remove = remove_key, .list = list};
static const omnistore_plugin plugin = {.size = sizeof plugin, .abi_major = OMNISTORE_ABI_MAJOR,
  .abi_minor = OMNISTORE_ABI_MINOR, .flags = OMNISTORE_PLUGIN_UNLOADS, .driver_count = 1,
  .drivers = (const omnistore_driver *const[]){&driver}};
const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host) { return (void)host, &plugin; }
