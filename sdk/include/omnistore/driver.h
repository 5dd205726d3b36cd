/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/driver.h - the contract between an Omnistore host and a driver plugin.
 *
 * A plugin is one shared library. It exports one function, omnistore_plugin_entry, which returns a
 * static table of the drivers in the plugin. The host opens a driver with its options and gets a
 * store; every later call names that store by `self`. A layer is a driver that is opened over other
 * stores, its children, and calls them through the same table that it implements.
 *
 * This file is plain C11 (and C++20) and includes only <stddef.h> and <stdint.h>. It is a promise:
 * within one ABI major, nothing in it is reordered, resized, retyped or given another meaning. It
 * grows only by
 *   - a new field at the end of a struct whose first field is `size`;
 *   - a new value for a field that is documented as open to new values;
 *   - an extension (omnistore/ext/).
 *
 * Growth. The side that fills a struct in sets `size` to sizeof(the struct) as it was compiled. The
 * side that reads takes a field whose end lies beyond `size` as zero (OMNISTORE_HAS below). A side
 * that knows a longer struct than `size` says writes nothing beyond `size`. A host or a layer that
 * copies a struct copies the part that it knows and sets `size` to the length of that part. Arrays
 * of structs that can grow are passed as arrays of pointers, never by stride. omnistore_bytes has
 * no size field and never changes.
 *
 * Value sets. Statuses, conditions, priorities, thread models, `keeps`, `order`, event types,
 * causes, log levels and every set of flags or capabilities may get new values in a later minor.
 * The comment of each set says how a reader takes a value that it does not know. No other set of
 * values grows.
 *
 * Strings are UTF-8. A `const char *` ends in NUL; an omnistore_bytes does not. Times of day are
 * Unix time in milliseconds on the host's clock, and 0 means "none". Durations are milliseconds.
 *
 * Ownership. Everything that is passed to a function (keys, values, requests, the call, the sink)
 * belongs to the caller and is valid until the function returns: copy what must live longer. The
 * host never frees memory that a driver allocated, nor the other way round. Bytes leave a driver
 * only through the host's sink, page, call or services, each of which copies or consumes them
 * before it returns.
 *
 * Exceptions, longjmp and signals must not cross any function of this file. The locale, the umask,
 * the working directory, signal handlers and the environment belong to the host: a plugin may read
 * but never change them.
 *
 * Thread rules. Each function's comment ends with one of these tags:
 *   [entry]    on any thread, possibly more than once, before any other function of the plugin; the
 *              function must be pure
 *   [driver]   on any thread, at any time after [entry], several at once, and beside every other
 *              function
 *   [store]    on any thread; the thread model (below) says how many may run at once for one store.
 *              A host never calls a [store] function before `open` has returned or after it has
 *              called `close`
 *   [call]     only from the function that received the object, on the thread that the function was
 *              called on, and not after the function has returned
 *   [close]    on any thread, once, after every other function of the store has returned and while
 *              no task of the store runs
 *   [task]     on a thread of the host's, after `open` has returned and before `close` is called;
 *              beside [store] functions, even those of a serialized store
 *   [any]      on any thread, at any time between the start of `open` and the return of `close`
 */
#ifndef OMNISTORE_DRIVER_H
#define OMNISTORE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------- the platform */

#if defined(_WIN32)
#define OMNISTORE_CALL __cdecl
#define OMNISTORE_EXPORT __declspec(dllexport)
#else
#define OMNISTORE_CALL
#define OMNISTORE_EXPORT __attribute__((visibility("default")))
#endif

/* The version of this header. Majors do not mix. Within a major, any minor of a plugin loads in any
 * minor of a host. */
#define OMNISTORE_ABI_MAJOR 1
#define OMNISTORE_ABI_MINOR 0

/* True if the sized struct at `p` reaches as far as `field`, so that its other side knew it. */
#define OMNISTORE_HAS(type, p, field) ((p)->size >= offsetof(type, field) + sizeof(((type *)0)->field))

/* -------------------------------------------------------------------------------------- values */

/* A view of bytes. `data` may be null if `size` is 0. */
typedef struct omnistore_bytes {
  const void *data;
  uint64_t size;
} omnistore_bytes;

/* The kind of a failure, by which a front or a layer decides. The message that is given to
 * omnistore_call.fail says which failure it was. Open to new values: a reader takes an unknown one
 * as OMNISTORE_INTERNAL. */
typedef int32_t omnistore_status;
#define OMNISTORE_OK 0
#define OMNISTORE_NOT_FOUND 10   /* no such key. A result, not a failure: no message, no log line */
#define OMNISTORE_INVALID 20     /* a bad key, option or argument: it will never work */
#define OMNISTORE_DENIED 30      /* the backend refuses this user */
#define OMNISTORE_READ_ONLY 40   /* the store takes no writes */
#define OMNISTORE_CONFLICT 50    /* the request's condition did not hold; nothing was changed */
#define OMNISTORE_TOO_LARGE 60   /* over a limit that the traits state */
#define OMNISTORE_UNSUPPORTED 70 /* this store cannot do it, and nothing was changed */
#define OMNISTORE_TIMEOUT 80     /* the deadline passed */
#define OMNISTORE_CANCELLED 85   /* the caller went away before the operation was done */
#define OMNISTORE_UNAVAILABLE 90 /* the backend cannot be reached; worth a retry */
#define OMNISTORE_NO_SPACE 100   /* the store is full */
#define OMNISTORE_IO 110         /* the medium failed */
#define OMNISTORE_CORRUPT 120    /* the stored bytes are damaged or of another form */
#define OMNISTORE_INTERNAL 130   /* a defect of the driver */
/* After TIMEOUT, CANCELLED and UNAVAILABLE it is unknown whether a write was done, or will be,
 * unless the failure says OMNISTORE_NOTHING_DONE. */

/* Limits that hold for every store. A store may state lower ones in its traits. */
#define OMNISTORE_MAX_KEY_SIZE 4096u    /* bytes of the longest key that a driver receives, which
                                           includes the mount's prefix and the `$` at the end of a
                                           layer's or the host's own key */
#define OMNISTORE_MAX_CURSOR_SIZE 8192u /* bytes of the longest cursor: longer than a key, so that a
                                           driver can use a key as its cursor and a layer can put
                                           its own part before it */

/* The properties of a value besides its bytes. Each field may be unknown. */
typedef struct omnistore_meta {
  uint32_t size;       /* sizeof(omnistore_meta) */
  uint32_t flags;      /* OMNISTORE_META_...; a reader ignores flags that it does not know */
  uint64_t value_size; /* of the whole value, in bytes, even if only a range of it was requested;
                          OMNISTORE_UNKNOWN_SIZE if it is unknown before the last byte */
  int64_t mtime;       /* when the value was last set, or 0 if unknown */
  int64_t expiry;      /* when the value expires, or 0 if never */
  omnistore_bytes etag; /* differs for each different value of the key. Opaque: 1 to 64 bytes of
                           printable ASCII without quotes; empty if unknown */
  omnistore_bytes user; /* the user's own meta, byte for byte; empty if there is none or if it is
                           unknown */
} omnistore_meta;
#define OMNISTORE_UNKNOWN_SIZE UINT64_MAX
#define OMNISTORE_META_USER 0x1u /* `user` is known: if it is empty, the value has none */

/* The user's own meta is at most this many bytes, which neither the host nor a driver reads. It
 * belongs to one value: it is stored with the value or added by touch, and ends with it, however
 * the value ends: replaced, removed, expired, evicted, or changed by another program. Only a store
 * that states OMNISTORE_CAN_META receives user meta or requests for it; for other stores the host
 * keeps it. */
#define OMNISTORE_MAX_USER_SIZE 1048576u

/* --------------------------------------------------------------- objects that the host provides */

typedef struct omnistore_context omnistore_context;
typedef struct omnistore_call omnistore_call;
typedef struct omnistore_sink omnistore_sink;
typedef struct omnistore_source omnistore_source;
typedef struct omnistore_page omnistore_page;
typedef struct omnistore_host omnistore_host;
typedef struct omnistore_store omnistore_store;
typedef struct omnistore_driver omnistore_driver;
typedef struct omnistore_watcher omnistore_watcher;

/* Describes the request that an operation is part of. The host makes it, and every layer passes it
 * down unchanged: a layer that wraps a call copies the pointer `context`, so that fields that are
 * added later reach the driver through layers that do not know them. It is valid as long as the
 * call that names it. */
struct omnistore_context {
  uint32_t size;     /* sizeof(omnistore_context) */
  uint32_t priority; /* OMNISTORE_PRIORITY_... */

  /* Returns 1 if the caller has gone away, so that nobody reads the response, else 0. It costs no
   * more than a read of memory. [call], and on threads that the function waits for */
  uint32_t(OMNISTORE_CALL *cancelled)(const omnistore_context *context);

  omnistore_bytes trace;    /* the client's W3C traceparent, 55 bytes in lower case, already
                               checked; empty if there is none */
  omnistore_bytes identity; /* the name of the user or token that made the request, for logs and for
                               backends that keep a record; empty if unknown. It proves nothing */
};

/* How urgent an operation is. Open to new values: a reader takes an unknown one as NORMAL. */
#define OMNISTORE_PRIORITY_NORMAL 0u
#define OMNISTORE_PRIORITY_BACKGROUND 100u /* a job, a refresh or a task: no person waits for it */

/* Why an operation failed. The host copies everything in it. */
typedef struct omnistore_failure {
  uint32_t size;           /* sizeof(omnistore_failure) */
  uint32_t item;           /* the index of the item in a batch, else 0 */
  omnistore_bytes message; /* the cause in the backend's own words, without the operation, the key
                              and the driver's name (the host adds those), without a full stop at
                              its end, and without secrets */
  int64_t retry_after;     /* milliseconds after which a retry may work, or 0 if unknown. HTTP
                              clients see it as Retry-After */
  uint32_t flags;          /* OMNISTORE_NOTHING_DONE or 0; a reader ignores flags that it does not
                              know */
  uint32_t reserved;       /* 0 */
} omnistore_failure;
#define OMNISTORE_NOTHING_DONE 0x1u /* the operation, or this item, changed nothing and will change
                                       nothing */

/* One operation in progress: how much time it has, on whose behalf it runs, and how it reports a
 * failure. A layer passes on the call that it received, or one of its own with the same `context`.
 * It is valid until the function that received it returns. */
struct omnistore_call {
  uint32_t size;     /* sizeof(omnistore_call) */
  uint32_t reserved; /* 0 */

  const omnistore_context *context; /* never null, and the same for the whole operation */

  /* Returns the milliseconds left until the deadline: 0 if it has passed or the caller has gone
   * away, INT64_MAX if there is no deadline. A function that waits or works for long checks this
   * from time to time. At 0 it returns OMNISTORE_CANCELLED if context->cancelled says so, else
   * OMNISTORE_TIMEOUT. [call], and on threads that the function waits for */
  int64_t(OMNISTORE_CALL *remaining)(const omnistore_call *call);

  /* Reports why the function is about to fail. The last failure of an item counts; one without a
   * message keeps the message of the failure before. If a function fails without a report, the
   * host can show only the status. CONFLICT is a result rather than a failure: it needs no
   * message, and a host may show none. [call] */
  void(OMNISTORE_CALL *fail)(omnistore_call *call, const omnistore_failure *failure);
};

/* Bytes that a store lends to the host: they stay at their address and unchanged until the host
 * calls release(owner, item), which it does exactly once, before `close`. */
typedef struct omnistore_loan {
  uint32_t size;     /* sizeof(omnistore_loan) */
  uint32_t reserved; /* 0 */
  void(OMNISTORE_CALL *release)(void *owner, void *item); /* [any] */
  void *owner;
  void *item;
} omnistore_loan;

/* Receives a value, or only its meta, from a driver.
 *
 * get: call begin once, then write until all requested bytes have gone out: `meta.value_size` of
 * them, or the part of the value that lies in the request's range, or, if the size is unknown, all
 * up to the end. stat, and set with a sink: call begin once. A function that does not return
 * OMNISTORE_OK may have called begin and written a part; the host drops it. If begin or write does
 * not return OMNISTORE_OK, the driver stops and returns that status.
 *
 * The sink of a driver that states OMNISTORE_NEVER_BLOCKS never blocks, calls back into no store,
 * and may be used under the driver's own locks. Any other sink may block for as long as the reader
 * of the value is slow: hold no lock while you call it. */
struct omnistore_sink {
  uint32_t size;     /* sizeof(omnistore_sink) */
  uint32_t reserved; /* 0 */

  /* Announces the value, and copies everything that `meta` points to. If the host has room, it
   * stores in *buffer a pointer to as many writable bytes as will come, which stays valid until
   * the driver's function returns; else it stores null. `buffer` may be null if the driver wants
   * no such room. [call] */
  omnistore_status(OMNISTORE_CALL *begin)(omnistore_sink *sink, const omnistore_meta *meta,
                                          void **buffer);

  /* Passes on the next bytes. Bytes that already lie in their place in begin's buffer are passed on
   * by the same call (`data` then points into the buffer, directly after the bytes that were
   * written before) and not copied again. [call] */
  omnistore_status(OMNISTORE_CALL *write)(omnistore_sink *sink, const void *data, uint64_t size);

  /* Replaces write after a begin whose `buffer` was null: lends all of the bytes that will come
   * instead of copying them, so that a store in memory holds a long value once, however many slow
   * readers it has. The sink copies `loan`. If this does not return OMNISTORE_OK, nothing was
   * lent. It never calls release itself. Null if this sink takes no loans. [call] */
  omnistore_status(OMNISTORE_CALL *lend)(omnistore_sink *sink, const void *data, uint64_t size,
                                         const omnistore_loan *loan);
};

/* Supplies a long value to a driver, piece by piece. */
struct omnistore_source {
  uint32_t size;     /* sizeof(omnistore_source) */
  uint32_t reserved; /* 0 */

  /* Reads up to `capacity` bytes into `buffer` and stores their number in *read, which is 0 at the
   * end. May block. A failure means that the writer went away: the driver keeps the old value and
   * returns that status. [call] */
  omnistore_status(OMNISTORE_CALL *read)(omnistore_source *source, void *buffer, uint64_t capacity,
                                         uint64_t *read);
};

/* Receives keys from a driver: one page of a listing, or the keys that a clear removed. */
struct omnistore_page {
  uint32_t size;     /* sizeof(omnistore_page) */
  uint32_t reserved; /* 0 */

  /* Takes one whole key (with its base). `meta` is the value's meta if it was requested and is
   * known without reading the value, else null. If emit does not return OMNISTORE_OK, the driver
   * stops and returns that status. It may block when the sink may. [call] */
  omnistore_status(OMNISTORE_CALL *emit)(omnistore_page *page, omnistore_bytes key,
                                         const omnistore_meta *meta);

  /* Says where the next page starts. The cursor is opaque to the host and has at most
   * OMNISTORE_MAX_CURSOR_SIZE bytes. At any later time, even after a restart, it must still be
   * good, or be refused with OMNISTORE_INVALID. A driver that does not call `next` says that the
   * listing is complete. [call] */
  void(OMNISTORE_CALL *next)(omnistore_page *page, omnistore_bytes cursor);

  /* Reports that the listing, or the clear, leaves out everything under `base` (a prefix that ends
   * in ':', or one key) because it cannot be read. The host reports this to its caller. `status`
   * (OMNISTORE_DENIED, OMNISTORE_IO) and `message` say why, as for the call's `fail`; both are
   * copied. Use it for a lasting fault of one place: a fault that may soon be gone fails the whole
   * listing. If skip does not return OMNISTORE_OK, the driver stops and returns that status. Null
   * if the host does not know it. [call] */
  omnistore_status(OMNISTORE_CALL *skip)(omnistore_page *page, omnistore_bytes base,
                                         omnistore_status status, omnistore_bytes message);
};

/* ------------------------------------------------------------------------------------ requests */
/* Requests may carry fields that the driver does not know. `flags` are open to new values: if a
 * driver that ignored a flag would give a wrong result, only drivers that state the capability for
 * it receive the flag. */

typedef struct omnistore_open_request {
  uint32_t size;           /* sizeof(omnistore_open_request) */
  uint32_t flags;          /* 0 */
  omnistore_bytes options; /* one JSON object that fits the driver's schema, defaults filled in */
  const omnistore_store *const *children; /* opened stores in the config's order, usable from `open`
                                             on and valid until `close` has returned */
  uint32_t child_count;
  uint32_t reserved; /* 0 */
} omnistore_open_request;

/* For get, get_many, stat and stat_many. A stat reads no bytes: its offset is 0 and its length is
 * UINT64_MAX. */
typedef struct omnistore_get_request {
  uint32_t size;   /* sizeof(omnistore_get_request) */
  uint32_t flags;  /* OMNISTORE_GET_... */
  uint64_t offset; /* the first byte to read, 0 without OMNISTORE_CAN_RANGE. An offset at or after
                      the value's end gives no bytes */
  uint64_t length; /* how many bytes to read at most; UINT64_MAX, always so without
                      OMNISTORE_CAN_RANGE, reads up to the end */
} omnistore_get_request;
/* value_size, mtime and expiry are always requested. */
#define OMNISTORE_GET_META 0x1u /* requests meta.etag too, if it is known at no further cost.
                                   Without the flag leave it empty */
#define OMNISTORE_GET_USER 0x2u /* requests meta.user too. Without the flag leave it empty, and
                                   spend nothing on it. A stat finds it at any cost. A get or
                                   get_many may leave it out, without OMNISTORE_META_USER, if it
                                   would take the backend a second request. Only with
                                   OMNISTORE_CAN_META */

/* The condition of a write. A driver receives one other than ALWAYS only if it states the
 * capability for it. Open to new values, each with a capability of its own. */
#define OMNISTORE_ALWAYS 0u
#define OMNISTORE_IF_ABSENT 1u  /* there is no live value */
#define OMNISTORE_IF_PRESENT 2u /* there is a live value */
#define OMNISTORE_IF_MATCH 3u   /* there is a live value, and its etag is the request's */

typedef struct omnistore_set_request {
  uint32_t size;            /* sizeof(omnistore_set_request) */
  uint32_t flags;           /* 0 */
  omnistore_bytes value;    /* the whole value, if source is null */
  omnistore_source *source; /* else supplies the value: only with OMNISTORE_CAN_STREAM */
  uint64_t source_size;     /* how many bytes the source has, or OMNISTORE_UNKNOWN_SIZE. Less or
                               more is a failure */
  int64_t expiry;           /* when the value expires; 0 means never. Only 0 without
                               OMNISTORE_CAN_TTL */
  uint32_t condition;       /* OMNISTORE_ALWAYS, ... */
  uint32_t reserved;        /* 0 */
  omnistore_bytes etag;     /* for OMNISTORE_IF_MATCH */
  omnistore_bytes user;     /* the user's own meta, stored with the value in one step; empty means
                               that the value has none, so that the meta of an older value goes.
                               Always empty without OMNISTORE_CAN_META */
} omnistore_set_request;

typedef struct omnistore_remove_request {
  uint32_t size;        /* sizeof(omnistore_remove_request) */
  uint32_t flags;       /* 0 */
  uint32_t condition;   /* OMNISTORE_ALWAYS, OMNISTORE_IF_PRESENT (the same here) or
                           OMNISTORE_IF_MATCH */
  uint32_t reserved;    /* 0 */
  omnistore_bytes etag; /* for OMNISTORE_IF_MATCH */
} omnistore_remove_request;

typedef struct omnistore_touch_request {
  uint32_t size;  /* sizeof(omnistore_touch_request) */
  uint32_t flags; /* OMNISTORE_TOUCH_...: which of the fields below to change, at least one */
  int64_t expiry; /* the new expiry; 0 means never. Only with OMNISTORE_CAN_TTL */
  omnistore_bytes user; /* the new user meta; empty means none. Only with OMNISTORE_CAN_META */
} omnistore_touch_request;
#define OMNISTORE_TOUCH_EXPIRY 0x1u
#define OMNISTORE_TOUCH_USER 0x2u

typedef struct omnistore_list_request {
  uint32_t size;          /* sizeof(omnistore_list_request) */
  uint32_t flags;         /* OMNISTORE_LIST_... */
  omnistore_bytes base;   /* only keys that start with it; it ends in ':' or is empty */
  uint32_t depth;         /* only keys with at most this many ':' after the base, or
                             OMNISTORE_ANY_DEPTH for all. Always that without OMNISTORE_CAN_DEPTH */
  uint32_t limit;         /* the most keys to emit in this page; it is at least 1 */
  omnistore_bytes cursor; /* the cursor that the page before gave to `next`; empty at the start */
  omnistore_bytes start;  /* the lower bound of the names; empty means none. Always empty without
                             OMNISTORE_CAN_LIST_RANGE */
  omnistore_bytes end;    /* the upper bound of the names, likewise */
} omnistore_list_request;
#define OMNISTORE_LIST_META 0x1u    /* requests meta with each key, if it is known without reading
                                       the value */
#define OMNISTORE_LIST_REVERSE 0x2u /* only with OMNISTORE_CAN_LIST_REVERSE */
#define OMNISTORE_LIST_FOLDERS 0x4u /* only with OMNISTORE_CAN_LIST_FOLDERS */
#define OMNISTORE_ANY_DEPTH UINT32_MAX

/* The names that a listing emits are keys and, with OMNISTORE_LIST_FOLDERS, folders.
 *
 * Range. A listing emits only names that are not less than `start` and are less than `end`.
 * Names are compared whole, with the base, byte by byte. A bound may be any bytes, at most
 * OMNISTORE_MAX_CURSOR_SIZE of them: it need not be a key, and need not start with the base. If
 * `end` is not greater than `start`, the page is empty.
 *
 * Reverse. With OMNISTORE_LIST_REVERSE the names come in descending order of their bytes.
 * `start` stays the lower bound and `end` the upper one.
 *
 * Folders. A folder stands for the keys that begin with its name, which ends in ':'. With
 * OMNISTORE_LIST_FOLDERS each key that `depth` leaves out is emitted as its folder: the base and
 * the key's first depth + 1 segments below the base, with the ':' after each. A folder is emitted
 * once over all pages, even if keys of it come or go meanwhile. It counts as one of the `limit`
 * keys of its page, and has no meta. It is in the range if its own name is, whichever keys it has.
 * In a listing in the order of keys it comes in the order of its name: `a`, `a!`, `a:`, `a;`. A
 * folder whose keys were all removed is not emitted. A folder without a live key may be emitted if
 * all of its keys have expired, if all of them end in `$`, or if another program has made it (a
 * directory without files). With OMNISTORE_ANY_DEPTH the flag changes nothing.
 *
 * A cursor resumes the listing that gave it: the request has the same base, depth, start and end,
 * and the same flags but for OMNISTORE_LIST_META. Its limit may be another. */

typedef struct omnistore_clear_request {
  uint32_t size;        /* sizeof(omnistore_clear_request) */
  uint32_t flags;       /* 0 */
  omnistore_bytes base; /* all keys that start with it; it ends in ':', or is empty for all keys of
                           the store */
} omnistore_clear_request;

typedef struct omnistore_watch_request {
  uint32_t size;        /* sizeof(omnistore_watch_request) */
  uint32_t flags;       /* 0 */
  omnistore_bytes base; /* changes of keys that start with it; it ends in ':', or is empty for all
                           keys of the store */
} omnistore_watch_request;

/* -------------------------------------------------------------------------------------- events */

/* Open to new values: a reader drops an event of a type that it does not know. */
#define OMNISTORE_EVENT_UPDATE 1u
#define OMNISTORE_EVENT_REMOVE 2u
#define OMNISTORE_EVENT_RESYNC 3u /* events were lost: copies of this store may be old. No key */
#define OMNISTORE_EVENT_LIMITED 4u /* the watch does not report all changes that others make. `key`
                                      is not a key but the reason, a text for people. The host shows
                                      each reason once */

/* Open to new values: a reader takes an unknown one as NONE. */
#define OMNISTORE_CAUSE_NONE 0u
#define OMNISTORE_CAUSE_REMOVED 1u
#define OMNISTORE_CAUSE_EXPIRED 2u
#define OMNISTORE_CAUSE_EVICTED 3u
#define OMNISTORE_CAUSE_CLEARED 4u

typedef struct omnistore_event {
  uint32_t size;  /* sizeof(omnistore_event) */
  uint32_t type;  /* OMNISTORE_EVENT_... */
  uint32_t cause; /* of a removal: OMNISTORE_CAUSE_... */
  uint32_t reserved;
  omnistore_bytes key;
  uint64_t count; /* of a resync: how many events were lost, or 0 if unknown */
} omnistore_event;

/* Receives the events of a watch. */
struct omnistore_watcher {
  uint32_t size;     /* sizeof(omnistore_watcher) */
  uint32_t reserved; /* 0 */
  /* Takes one event, which is copied. Never blocks, calls back into no store, and may be used under
   * the driver's own locks. [any], from the call of `watch` until `unwatch` returns */
  void(OMNISTORE_CALL *event)(omnistore_watcher *watcher, const omnistore_event *event);
};

/* ------------------------------------------------------------------------- the host's services */

/* Open to new values: a host takes a level that it does not know as the nearest one below it. */
#define OMNISTORE_LOG_TRACE 0u
#define OMNISTORE_LOG_DEBUG 1u
#define OMNISTORE_LOG_INFO 2u
#define OMNISTORE_LOG_WARN 3u
#define OMNISTORE_LOG_ERROR 4u

/* A background task. The remaining time of `call` becomes 0 when the store is about to close; a
 * long task must then return. The host logs the failures that it reports to `call`. [task] */
typedef void(OMNISTORE_CALL *omnistore_task)(void *argument, omnistore_call *call);

/* How a task runs. Tasks without OMNISTORE_TASK_PARALLEL run one at a time for a store. */
#define OMNISTORE_TASK_PARALLEL 0x1u /* it may run beside every other task of the store */

/* The host's services for one store; each store receives its own. It is valid from the call of
 * `open` until `close` returns, or until a failing `open` returns. */
struct omnistore_host {
  uint32_t size; /* sizeof(omnistore_host) */
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;

  /* Writes one line to the host's log. The host adds mount and driver. No secrets. [any] */
  void(OMNISTORE_CALL *log)(const omnistore_host *host, uint32_t level, omnistore_bytes message);

  /* Returns the time of day in Unix milliseconds, on a clock that never steps back while the host
   * runs. Every expiry is measured against it. Costs about as much as a read of the system's
   * clock. [any] */
  int64_t(OMNISTORE_CALL *now)(const omnistore_host *host);

  /* Runs task(argument) once, at least `delay` milliseconds from now, on a thread of the host's.
   * `flags` is OMNISTORE_TASK_... or 0; a host ignores flags that it does not know. The host shares
   * its threads out fairly: the tasks of one store never hold all of them. A task may wait, but one
   * that waits for long, such as for a socket, belongs on a thread of the driver's own (GUIDE.md).
   * When the store closes, the host waits for its running tasks and drops the others before it
   * calls `close`: the store must therefore own `argument`. Returns OMNISTORE_UNAVAILABLE if the
   * store is closing or the host's queue is full; the task will then not run. [any] */
  omnistore_status(OMNISTORE_CALL *submit)(const omnistore_host *host, omnistore_task task,
                                           void *argument, uint64_t delay, uint32_t flags);

  /* Reports a removal that the store made by itself (causes EXPIRED and EVICTED). The host itself
   * reports the changes that it made through the store's functions. Never blocks, and may be used
   * under the driver's own locks. [any] */
  void(OMNISTORE_CALL *event)(const omnistore_host *host, const omnistore_event *event);

  /* Returns the table of the named extension ("omnistore.NAME/REV"), or null if the host does not
   * have it. It is valid as long as the host. [any] */
  const void *(OMNISTORE_CALL *extension)(const omnistore_host *host, const char *id);
};

/* ------------------------------------------------------------------------- traits of a store */

/* Thread models. Values in between may come; a host treats an unknown one as the next lower one
 * that it knows. Tasks and [any] functions run beside the functions of a serialized store, so the
 * store itself guards the data that they share. A client that reads or sends slowly does not hold
 * up a serialized store, since the host gathers the value in memory. A Reader or Source of a
 * program, and the sink of a layer, are called under the lock. */
#define OMNISTORE_SERIALIZED 100u /* one [store] function at a time for a store; the host holds a
                                     lock around each */
#define OMNISTORE_PARALLEL 200u   /* any number of [store] functions at once for a store */

/* How durable an acknowledged write is. Values in between may come; a reader takes an unknown one
 * as the next lower one that it knows. The host shows it. Unless it is NO_VALUE or NOTHING, the
 * host also looks in a store that it opens for the expiries and user meta that it kept there itself
 * in an earlier run. */
#define OMNISTORE_KEEPS_UNKNOWN 0u
#define OMNISTORE_KEEPS_NO_VALUE 50u /* the store drops values at once: a get never finds any */
#define OMNISTORE_KEEPS_NOTHING 100u /* the write is gone when the store closes */
#define OMNISTORE_KEEPS_PROCESS 200u /* the write survives a crash of the host's process */
#define OMNISTORE_KEEPS_POWER 300u   /* the write survives a loss of the machine's power */

/* The order in which list emits keys. Values in between may come; a reader takes an unknown one as
 * the next lower one that it knows. */
#define OMNISTORE_ORDER_NONE 0u   /* none */
#define OMNISTORE_ORDER_KEYS 200u /* ascending by the keys' bytes; descending with
                                     OMNISTORE_LIST_REVERSE */

/* Capabilities: the things that the driver does natively. The host emulates a missing one if it can
 * do so honestly, and else returns OMNISTORE_UNSUPPORTED. (Optional functions need no bit: a null
 * entry is enough.) Open to new bits: a host ignores those that it does not know, and a layer never
 * sees them in its child's traits.
 *
 * A layer states what its own functions keep, whatever its children state. It may pass on the
 * traits of what it hands down unchanged: READS_ONLY, SHARED, NESTS, the CAN_... of functions that
 * it forwards whole, the limits (less what it adds to keys and values), `keeps` and `order`. It may
 * be PARALLEL over a serialized child, around which the host holds the lock. The host counts
 * NEVER_BLOCKS only if every child has it. */
#define OMNISTORE_READS_ONLY 0x1ull       /* takes no writes */
#define OMNISTORE_NEVER_BLOCKS 0x2ull     /* no function waits for a disk, a network or another
                                             process */
#define OMNISTORE_SHARED 0x4ull           /* others than this store may change what it holds. The
                                             host then emulates no condition, since its own lock
                                             could not keep it, and without a `watch` it warns
                                             watchers that changes by others are not reported */
#define OMNISTORE_NESTS 0x8ull            /* `a` and `a:b` can both be keys. The host shows it; a
                                             layer may need it */
#define OMNISTORE_CAN_TTL 0x10ull         /* keeps expiries: from the moment now() >= expiry on, a
                                             value is not given out or listed */
#define OMNISTORE_CAN_META 0x20ull        /* keeps the user's own meta with the value, and has
                                             touch */
#define OMNISTORE_CAN_ETAG 0x40ull        /* gives etags */
#define OMNISTORE_CAN_IF_ABSENT 0x80ull   /* OMNISTORE_IF_ABSENT, atomically, against every other
                                             writer */
#define OMNISTORE_CAN_IF_PRESENT 0x100ull /* OMNISTORE_IF_PRESENT, likewise */
#define OMNISTORE_CAN_IF_MATCH 0x200ull   /* OMNISTORE_IF_MATCH, likewise, for set and remove */
#define OMNISTORE_CAN_RANGE 0x400ull      /* get reads a part without reading the whole */
#define OMNISTORE_CAN_STREAM 0x800ull     /* set takes a source */
#define OMNISTORE_CAN_DEPTH 0x1000ull     /* list honours depth, and does not visit deeper keys */
#define OMNISTORE_CAN_LIST_META 0x2000ull /* list gives meta */
#define OMNISTORE_WATCHES_OWN 0x4000ull   /* watch also reports the changes made through this
                                             store's functions; the host then does not report
                                             them itself while a watch runs */
#define OMNISTORE_CAN_LIST_RANGE 0x8000ull    /* list honours `start` and `end`. In the order of
                                                 keys a range costs a seek and its own keys */
#define OMNISTORE_CAN_LIST_REVERSE 0x10000ull /* list honours OMNISTORE_LIST_REVERSE. Only with
                                                 OMNISTORE_ORDER_KEYS */
#define OMNISTORE_CAN_LIST_FOLDERS 0x20000ull /* list honours OMNISTORE_LIST_FOLDERS, and does not
                                                 visit what lies below a folder. Only with
                                                 OMNISTORE_CAN_DEPTH */
#define OMNISTORE_CANNOT_LIST 0x40000ull      /* list always returns OMNISTORE_UNSUPPORTED */

/* The properties and capabilities of a store. The driver's table holds the traits of most of its
 * stores; `open` may change the copy that it receives if options or children make a difference. */
typedef struct omnistore_traits {
  uint32_t size;           /* sizeof(omnistore_traits) */
  uint32_t thread_model;   /* OMNISTORE_SERIALIZED or OMNISTORE_PARALLEL: must be stated */
  uint64_t capabilities;   /* OMNISTORE_CAN_... and the like */
  uint64_t max_key_size;   /* bytes; 0 if the store has no limit of its own */
  uint64_t max_value_size; /* bytes of a value and its user meta together; 0 if there is no limit */
  uint32_t max_batch;      /* items that one ..._many takes; 0 if there is no limit */
  uint32_t keeps;          /* OMNISTORE_KEEPS_... */
  uint32_t order;          /* OMNISTORE_ORDER_... */
  uint32_t reserved;       /* 0 */
  int64_t min_ttl;         /* the shortest ttl that it keeps, in milliseconds; 0 for any. The host
                              raises an expiry in the future to now() + min_ttl before the driver
                              sees it */
  int64_t ttl_grain;       /* expiries are multiples of it, in milliseconds; 0 if they are exact.
                              The host rounds an expiry up to such a multiple before the driver
                              sees it */
} omnistore_traits;

/* ---------------------------------------------------------------------------------- the driver */

/* One kind of store: the table that a driver implements. Static and constant.
 *
 * A replaced plugin file takes effect at the host's next reload: stores that are opened from then
 * on come from the new file, and those that stay open keep the old one until they close.
 *
 * Keys are normalised: UTF-8 without NUL, segments joined by single ':', none at either end, 1 to
 * OMNISTORE_MAX_KEY_SIZE bytes, no segment `.` or `..`. A key that ends in `$` belongs to a layer
 * or the host and has no user meta; otherwise it is like any other. A store may keep the user meta
 * of `a` as the value of `a$`, as unstorage does, so a layer uses no `a$` whose `a` could be a key
 * of a user's.
 *
 * The first group of functions is required. The host emulates an entry of the second group that is
 * null. A layer sees each child as a store whose table has every entry from `get` on filled in, by
 * the host if the driver's own is null; `open` and `close` are null, since the host opens and
 * closes the child. */
struct omnistore_driver {
  uint32_t size;     /* sizeof(omnistore_driver) */
  uint32_t reserved; /* 0 */

  const char *name;           /* the name in configs: [a-z][a-z0-9-]*, at most 64 bytes */
  const char *version;        /* the driver's own, as people read it */
  const char *summary;        /* one line, without a full stop */
  const char *options_schema; /* a JSON Schema (an object's) of the options; null: it takes none */
  uint32_t min_children;      /* a driver that is no layer has 0 and 0 */
  uint32_t max_children;
  const omnistore_traits *traits;

  /* --- required --- */

  /* Opens a store. `traits` is a copy of the driver's own; change it if this store differs. On
   * OMNISTORE_OK, *self names the store (null is allowed). On failure the driver undoes everything,
   * `close` is not called, and the message says what is wrong and what would be right. Any failure
   * may be returned, such as OMNISTORE_INVALID for options that can never work, or
   * OMNISTORE_UNAVAILABLE for a backend that is away. The mount then fails with that status. A
   * store whose backend comes and goes opens without it, and returns OMNISTORE_UNAVAILABLE
   * meanwhile. May block until the deadline. Options of the schema's format "path" are absolute
   * paths: the host resolves them against the folder of its config. One driver may be opened any
   * number of times, also at once: keep no globals. [driver] */
  omnistore_status(OMNISTORE_CALL *open)(const omnistore_host *host, omnistore_call *call,
                                         const omnistore_open_request *request,
                                         omnistore_traits *traits, void **self);

  /* Closes the store: writes out what must be kept, frees everything, joins every thread. The host
   * calls it exactly once, after the last [store] function has returned. It cannot fail; it logs
   * what goes wrong. [close] */
  void(OMNISTORE_CALL *close)(void *self);

  /* Reads a value. Returns OMNISTORE_NOT_FOUND, without a begin, if the key has no value or the
   * value has expired. [store] */
  omnistore_status(OMNISTORE_CALL *get)(void *self, omnistore_call *call, omnistore_bytes key,
                                        const omnistore_get_request *request, omnistore_sink *sink);

  /* Reads a value's meta (begin, no bytes), without reading the value if it can. `meta.value_size`
   * is known unless finding it would mean reading the value. Returns OMNISTORE_NOT_FOUND as get
   * does. [store] */
  omnistore_status(OMNISTORE_CALL *stat)(void *self, omnistore_call *call, omnistore_bytes key,
                                         const omnistore_get_request *request,
                                         omnistore_sink *sink);

  /* Stores a value in place of any older one, whole: a reader at the same time gets the old or the
   * new value, never a mixture, and a failure leaves the old one. Meta (user, expiry) is replaced
   * with the value. An empty value is a value. The driver checks the condition first. If it holds
   * and the expiry has passed already, the set removes the key and returns OMNISTORE_OK, whether or
   * not there was a value. If `result` is not null and the driver gives etags, the driver calls its
   * begin once with the new value's meta. Returns OMNISTORE_CONFLICT if the condition does not
   * hold, OMNISTORE_READ_ONLY, OMNISTORE_TOO_LARGE, OMNISTORE_NO_SPACE. [store] */
  omnistore_status(OMNISTORE_CALL *set)(void *self, omnistore_call *call, omnistore_bytes key,
                                        const omnistore_set_request *request,
                                        omnistore_sink *result);

  /* Removes a value. Returns OMNISTORE_NOT_FOUND if there was none (with OMNISTORE_IF_MATCH:
   * OMNISTORE_CONFLICT). Removing `a` leaves `a:b`. [store] */
  omnistore_status(OMNISTORE_CALL *remove)(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_remove_request *request);

  /* Emits the keys under a base, a page at a time, and reads no more than the base if it can. A
   * page may be short or empty and still have a next one. While others write, a run over all pages
   * gives every key that was there throughout, none twice. A base without keys is an empty page.
   * [store] */
  omnistore_status(OMNISTORE_CALL *list)(void *self, omnistore_call *call,
                                         const omnistore_list_request *request,
                                         omnistore_page *page);

  /* --- optional --- */

  /* Removes every key under a base, at less cost than one `remove` for each key. The driver emits
   * each key that it removed to `removed` unless that is null; it may emit or leave out a key whose
   * value had expired. On failure a part may have been removed, unless the failure says
   * OMNISTORE_NOTHING_DONE. [store] */
  omnistore_status(OMNISTORE_CALL *clear)(void *self, omnistore_call *call,
                                          const omnistore_clear_request *request,
                                          omnistore_page *removed);

  /* The batches: get, stat, set and remove of `count` keys in fewer round trips than `count`.
   * keys[i], *requests[i] and the sink of i belong together. `sinks` and `requests` are arrays of
   * `count` pointers, none of them null; several may be the same request. `results` of set_many is
   * null, or an array of `count` pointers of which any may be null: for those that are not, the
   * driver calls the sink's begin with the new value's meta as set does.
   *
   * The driver stores item i's outcome in statuses[i] (which the host has set to
   * OMNISTORE_INTERNAL) and gives its failure to `fail` with item i. The functions return
   * OMNISTORE_OK if they stored every status, whatever it is; another status holds for all items.
   * An item that fails, even because its sink does not take it, does not end the batch. A key may
   * stand in a batch twice; then the last set wins. [store] */
  omnistore_status(OMNISTORE_CALL *get_many)(void *self, omnistore_call *call,
                                             const omnistore_bytes *keys, uint32_t count,
                                             const omnistore_get_request *const *requests,
                                             omnistore_sink *const *sinks,
                                             omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *stat_many)(void *self, omnistore_call *call,
                                              const omnistore_bytes *keys, uint32_t count,
                                              const omnistore_get_request *const *requests,
                                              omnistore_sink *const *sinks,
                                              omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *set_many)(void *self, omnistore_call *call,
                                             const omnistore_bytes *keys, uint32_t count,
                                             const omnistore_set_request *const *requests,
                                             omnistore_sink *const *results,
                                             omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *remove_many)(void *self, omnistore_call *call,
                                                const omnistore_bytes *keys, uint32_t count,
                                                const omnistore_remove_request *const *requests,
                                                omnistore_status *statuses); /* [store] */

  /* Changes a value's expiry, or its user meta, or both, without rewriting it: its etag and mtime
   * stay. Only with OMNISTORE_CAN_TTL or OMNISTORE_CAN_META. An expiry that has passed removes the
   * value. Returns OMNISTORE_NOT_FOUND as get does, OMNISTORE_TOO_LARGE. [store] */
  omnistore_status(OMNISTORE_CALL *touch)(void *self, omnistore_call *call, omnistore_bytes key,
                                          const omnistore_touch_request *request);

  /* Starts to report to `watcher` the changes under a base that others made (with
   * OMNISTORE_WATCHES_OWN: all changes), and a RESYNC if some were lost. It reports every change
   * made after it has returned. *watch names the watch. [store] */
  omnistore_status(OMNISTORE_CALL *watch)(void *self, omnistore_call *call,
                                          const omnistore_watch_request *request,
                                          omnistore_watcher *watcher, void **watch);

  /* Ends a watch, and returns after its last event has been reported. Every watch is ended before
   * `close`. Present if `watch` is. [store], and while a [store] function of a serialized store
   * runs */
  void(OMNISTORE_CALL *unwatch)(void *self, void *watch);

  /* Returns the table of the named extension, or null. With a null self, the table holds for the
   * driver [driver]; else it is valid as long as the store. [store] */
  const void *(OMNISTORE_CALL *extension)(void *self, const char *id);
};

/* An opened store as a layer sees it: child->driver->get(child->self, ...). `traits` are those of
 * this store. It does not change while it is open. */
struct omnistore_store {
  uint32_t size;     /* sizeof(omnistore_store) */
  uint32_t reserved; /* 0 */
  const omnistore_driver *driver;
  const omnistore_traits *traits;
  void *self;
  const omnistore_store *const *children; /* of a layer: the stores below it, in the config's order.
                                             A layer above looks only at their `driver->name`,
                                             `traits` and `children`, to refuse an order of layers
                                             that cannot work. It never calls them */
  uint32_t child_count; /* 0 for a store that is no layer, and if the host does not know it */
  uint32_t reserved2;   /* 0 */
};

/* ---------------------------------------------------------------------------------- the plugin */

/* The table of a plugin. The first three fields keep their place and meaning in every major to
 * come. */
typedef struct omnistore_plugin {
  uint32_t size;      /* sizeof(omnistore_plugin) */
  uint32_t abi_major; /* OMNISTORE_ABI_MAJOR as the plugin was compiled */
  uint32_t abi_minor; /* OMNISTORE_ABI_MINOR, likewise */
  uint32_t flags;     /* OMNISTORE_PLUGIN_...; a host ignores flags that it does not know */
  const char *name;    /* as people call it; if null, the host uses the file's name */
  const char *version; /* may be null */
  uint32_t driver_count;
  uint32_t reserved; /* 0 */
  const omnistore_driver *const *drivers;
} omnistore_plugin;

/* Once its last store is closed, no thread, callback or thread-local destructor of the plugin is
 * left, and the host may unload its file. Without the flag the file stays loaded until the process
 * ends. */
#define OMNISTORE_PLUGIN_UNLOADS 0x1u

/* The versions that the host speaks: every major from `oldest_major` to `major`. */
typedef struct omnistore_abi {
  uint32_t size; /* sizeof(omnistore_abi) */
  uint32_t oldest_major;
  uint32_t major;
  uint32_t minor; /* of `major` */
} omnistore_abi;

/* The one symbol of a plugin. Returns its table, static and constant. A plugin that can serve no
 * major of the host's returns null, or the table all the same, from which the host reports both
 * versions. No input or output, no threads, no allocation. [entry] */
#define OMNISTORE_ENTRY "omnistore_plugin_entry"
typedef const omnistore_plugin *(OMNISTORE_CALL *omnistore_entry)(const omnistore_abi *host);
OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL
omnistore_plugin_entry(const omnistore_abi *host);

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_DRIVER_H */
