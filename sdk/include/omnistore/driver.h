/* SPDX-License-Identifier: Apache-2.0
 *
 * omnistore/driver.h - the contract between an Omnistore host and a driver plugin.
 *
 * A plugin is one shared library. It exports one function, omnistore_plugin_entry, which returns a static
 * table of the drivers that the plugin offers. The host opens a driver with its options and has a store;
 * every later call names that store by `self`. A layer is a driver that is opened over other stores, its
 * children, and calls them through the same table that it implements.
 *
 * This file is plain C11 (and C++20), includes only <stddef.h> and <stdint.h>, and is a promise: within one ABI major nothing
 * in it is reordered, resized, retyped or given another meaning. It grows in these ways alone:
 *   - a new field at the end of a struct whose first field is `size`;
 *   - a new value for a field that is documented as open to new values;
 *   - an extension (omnistore/ext/).
 *
 * How the two sides grow apart and still fit. The side that fills a struct in sets `size` to sizeof(the struct) as
 * it was compiled. The side that reads takes a field whose end lies beyond `size` as zero (OMNISTORE_HAS below). An
 * array of structs that can grow is passed as an array of pointers, never by stride. omnistore_bytes has no size
 * field and never changes. A host or a layer that copies a struct copies what it knows and sets `size` to what it copied.
 * A side that knows a longer struct than `size` says writes nothing beyond `size`.
 *
 * Value sets. Statuses, conditions, priorities, thread models, `keeps`, `order`, event types, causes, log levels and every
 * set of flags or capabilities may get new values in a later minor. Each set says how a reader takes a value that it
 * does not know. No other set of values grows.
 *
 * Strings are UTF-8. A `const char *` ends in NUL; an omnistore_bytes does not.
 * Times of day are Unix time in milliseconds on the host's clock; 0 is "none". Spans are milliseconds.
 *
 * Ownership. Whatever a function is given (keys, values, requests, the call, the sink) belongs to the caller and is
 * valid until the function returns: copy what must live longer. Nothing that a driver allocates is ever freed by the
 * host, nor the other way round; bytes leave a driver only through the host's sink, page, call or host services,
 * each of which copies or consumes them before it returns.
 *
 * Exceptions, longjmp and signals must not cross any function of this file. `errno`, the locale, the working
 * directory, signal handlers and the environment belong to the host: a plugin may read, never change, them.
 *
 * Thread rules, one at the end of each function's comment:
 *   [entry]    on any thread, possibly more than once, before anything else of the plugin; it must be pure
 *   [driver]   on any thread, at any time after [entry], also several at once, and beside every other function
 *   [store]    on any thread; how many at once for one store says its thread model (below). A host never calls a
 *              [store] function before `open` has returned or after `close` was called
 *   [call]     only from the function that was given the object, on the thread that it was called on, and not after
 *              it returned
 *   [close]    on any thread, once, when every other function of the store has returned and no task of it runs
 *   [task]     on a thread of the host's, after `open` has returned and before `close` is called; beside [store]
 *              functions, also those of a serialized store
 *   [any]      on any thread, at any time between the start of `open` and the return of `close`
 */
#ifndef OMNISTORE_DRIVER_H
#define OMNISTORE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------ the platform */

#if defined(_WIN32)
#define OMNISTORE_CALL __cdecl
#define OMNISTORE_EXPORT __declspec(dllexport)
#else
#define OMNISTORE_CALL
#define OMNISTORE_EXPORT __attribute__((visibility("default")))
#endif

/* The version of this header. Majors do not mix; within a major, any minor of a plugin loads in any minor of a host. */
#define OMNISTORE_ABI_MAJOR 1
#define OMNISTORE_ABI_MINOR 0

/* Whether the sized struct that `p` points to reaches as far as `field`: whether its other side knew that field. */
#define OMNISTORE_HAS(type, p, field) ((p)->size >= offsetof(type, field) + sizeof(((type *)0)->field))

/* ------------------------------------------------------------------------------------------------------- values */

/* A view of bytes. data may be null where size is 0. */
typedef struct omnistore_bytes {
  const void *data;
  uint64_t size;
} omnistore_bytes;

/* What kind of failure. Open to new values: a reader takes an unknown one as OMNISTORE_INTERNAL.
 * The message given to omnistore_call.fail says which failure; the status lets a front or a layer decide. */
typedef int32_t omnistore_status;
#define OMNISTORE_OK 0
#define OMNISTORE_NOT_FOUND 10   /* no such key. A result rather than a failure: no message, no log line        */
#define OMNISTORE_INVALID 20     /* a bad key, option or argument: it will never work                            */
#define OMNISTORE_DENIED 30      /* the backend refuses this user                                                */
#define OMNISTORE_READ_ONLY 40   /* the store takes no writes                                                    */
#define OMNISTORE_CONFLICT 50    /* the request's condition did not hold; nothing was changed                     */
#define OMNISTORE_TOO_LARGE 60   /* over a limit that the traits state                                           */
#define OMNISTORE_UNSUPPORTED 70 /* this store cannot do it, and nothing was changed                             */
#define OMNISTORE_TIMEOUT 80     /* the deadline passed                                                           */
#define OMNISTORE_CANCELLED 85   /* the caller went away before the operation was done                            */
#define OMNISTORE_UNAVAILABLE 90 /* the backend cannot be reached; worth a retry                                 */
#define OMNISTORE_NO_SPACE 100   /* the store is full                                                            */
#define OMNISTORE_IO 110         /* the medium failed                                                            */
#define OMNISTORE_CORRUPT 120    /* what is stored cannot be read as what it should be                           */
#define OMNISTORE_INTERNAL 130   /* a defect of the driver                                                       */
/* TIMEOUT, CANCELLED and UNAVAILABLE leave open whether a write was done, or will be, unless the failure says
 * OMNISTORE_NOTHING_DONE. */

/* Limits that hold for every store. A store may state lower ones in its traits. */
#define OMNISTORE_MAX_KEY_SIZE 4096u    /* bytes of the longest key that a driver is given, with its mount's prefix, and
                                           with the `$` at the end of a layer's or the host's own key */
#define OMNISTORE_MAX_CURSOR_SIZE 8192u /* bytes of the longest cursor: longer than a key, so that a driver can use a key
                                           as its cursor and a layer can put its own part in front */

/* What is known of a value besides its bytes. Each field may be unknown. */
typedef struct omnistore_meta {
  uint32_t size;       /* sizeof(omnistore_meta) */
  uint32_t flags;      /* OMNISTORE_META_...; a reader ignores flags that it does not know */
  uint64_t value_size; /* of the whole value, in bytes, also where only a range of it was asked for;
                          OMNISTORE_UNKNOWN_SIZE: not known before the last byte */
  int64_t mtime;       /* when it was last set; 0: unknown */
  int64_t expiry;      /* when it ends; 0: never */
  omnistore_bytes etag; /* is another for another value of the key; opaque, 1 to 64 bytes of printable ASCII without
                           quotes; empty: unknown */
  omnistore_bytes user; /* the user's own, byte for byte as it was given; empty: none, or not known */
} omnistore_meta;
#define OMNISTORE_UNKNOWN_SIZE UINT64_MAX
#define OMNISTORE_META_USER 0x1u /* `user` is known: if it is empty, the value has none */

/* The user's own meta is bytes, which the host and the drivers do not read, at most so many. It belongs to one value:
 * it is stored with the value or added to it by touch, and ends with it, however the value ends: replaced, removed,
 * expired, evicted, or replaced or removed by another program. Only a store that states OMNISTORE_CAN_META is given
 * user meta or asked for it; for others the host keeps it. */
#define OMNISTORE_MAX_USER_SIZE 1048576u

/* ------------------------------------------------------------------------------------------ what the host gives */

typedef struct omnistore_context omnistore_context;
typedef struct omnistore_call omnistore_call;
typedef struct omnistore_sink omnistore_sink;
typedef struct omnistore_source omnistore_source;
typedef struct omnistore_page omnistore_page;
typedef struct omnistore_host omnistore_host;
typedef struct omnistore_store omnistore_store;
typedef struct omnistore_driver omnistore_driver;
typedef struct omnistore_watcher omnistore_watcher;

/* What is known of the request that an operation is part of. The host makes it, and every layer hands it down as it is:
 * a layer that wraps a call copies the pointer `context`, so that fields that are added later reach the driver through
 * layers that do not know them. It is valid as long as the call that names it. */
struct omnistore_context {
  uint32_t size;     /* sizeof(omnistore_context) */
  uint32_t priority; /* OMNISTORE_PRIORITY_... */

  /* Returns 1 when the caller has gone away, so that nobody reads the answer, else 0. Costs no more than a read of
   * memory. [call], and on threads that the function waits for */
  uint32_t(OMNISTORE_CALL *cancelled)(const omnistore_context *context);

  omnistore_bytes trace;    /* the client's W3C traceparent, 55 bytes in lower case; empty: none. It was checked */
  omnistore_bytes identity; /* the name of the user or token that the request was made with, for logs and for backends
                               that keep a record; empty: unknown. It is no proof of anything */
};

/* How urgent an operation is. Open to new values: a reader takes an unknown one as NORMAL. */
#define OMNISTORE_PRIORITY_NORMAL 0u
#define OMNISTORE_PRIORITY_BACKGROUND 100u /* a job, a refresh or a task: nobody waits for it in person */

/* Why an operation failed. Everything in it is copied. */
typedef struct omnistore_failure {
  uint32_t size;           /* sizeof(omnistore_failure) */
  uint32_t item;           /* its place in a batch; 0 elsewhere */
  omnistore_bytes message; /* the cause in the backend's own words, without the operation, the key and the driver's name
                              (the host adds those), without a full stop at its end, and never with a secret in it */
  int64_t retry_after;     /* milliseconds after which a retry may work; 0: not known. HTTP clients see it as
                              Retry-After */
  uint32_t flags;          /* OMNISTORE_NOTHING_DONE or 0; a reader ignores flags that it does not know */
  uint32_t reserved;       /* 0 */
} omnistore_failure;
#define OMNISTORE_NOTHING_DONE 0x1u /* the operation, or this item, changed nothing and will change nothing */

/* One operation on its way: how long it may take, on whose behalf it is done, and where its failure goes. A layer passes
 * on the call that it was given, or one of its own with the same `context`. It lives as long as the function that was
 * given it. */
struct omnistore_call {
  uint32_t size;     /* sizeof(omnistore_call) */
  uint32_t reserved; /* 0 */

  const omnistore_context *context; /* never null, and the same for the whole operation */

  /* Milliseconds left until the deadline: 0 when it has passed or the caller has gone away, INT64_MAX when there is
   * no deadline. A function that waits or works for long asks from time to time. At 0 it returns OMNISTORE_CANCELLED
   * if context->cancelled says so, else OMNISTORE_TIMEOUT. [call], and on threads that the function waits for */
  int64_t(OMNISTORE_CALL *remaining)(const omnistore_call *call);

  /* Says why the function is about to fail. The last failure of an item stands, and one without a message keeps the
   * message of the failure before. If a function fails without having called it, the host has only the status to show.
   * CONFLICT is a result rather than a failure: it needs no message, and a host may show none. [call] */
  void(OMNISTORE_CALL *fail)(omnistore_call *call, const omnistore_failure *failure);
};

/* Bytes that a store lends to the host: they stay where they are, and as they are, until release(owner, item) has been
 * called, which the host does once, before `close`. */
typedef struct omnistore_loan {
  uint32_t size;     /* sizeof(omnistore_loan) */
  uint32_t reserved; /* 0 */
  void(OMNISTORE_CALL *release)(void *owner, void *item); /* [any] */
  void *owner;
  void *item;
} omnistore_loan;

/* Where a value, or only its meta, goes out.
 *
 * get: begin once, then write until all bytes have gone out that were asked for: `meta.value_size` of them, or the part
 * of the value that lies in the request's range; where the size is unknown, until the end. stat, and set with a sink: begin once. A function that does not return OMNISTORE_OK may
 * have begun and written a part; the host drops it. When begin or write does not return OMNISTORE_OK the driver
 * stops and returns that status.
 *
 * Sinks of a driver that states OMNISTORE_NEVER_BLOCKS never block, call back into no store, and may be used under
 * the driver's own locks. Other sinks may block for as long as the reader of the value is slow: hold no lock. */
struct omnistore_sink {
  uint32_t size;     /* sizeof(omnistore_sink) */
  uint32_t reserved; /* 0 */

  /* Announces the value. Where the host has room it stores in *buffer a pointer to as many writable bytes as will
   * come, which stays valid until the driver's function returns; else null. `buffer` may be null when the driver does
   * not want one. What `meta` points to is copied. [call] */
  omnistore_status(OMNISTORE_CALL *begin)(omnistore_sink *sink, const omnistore_meta *meta, void **buffer);

  /* The next bytes. Bytes that already lie in their place in begin's buffer are handed over by the same call
   * (`data` pointing into the buffer, right behind what was written before) and not copied again. [call] */
  omnistore_status(OMNISTORE_CALL *write)(omnistore_sink *sink, const void *data, uint64_t size);

  /* In place of write, after a begin whose `buffer` was null: all of the bytes that will come, lent instead of given, so
   * that a store in memory holds a long value once, however many slow readers it has. `loan` is copied. Where this does
   * not return OMNISTORE_OK nothing was lent. It never calls release by itself. Null: this sink takes no loans. [call] */
  omnistore_status(OMNISTORE_CALL *lend)(omnistore_sink *sink, const void *data, uint64_t size,
                                         const omnistore_loan *loan);
};

/* Where a long value comes in from, piece by piece. */
struct omnistore_source {
  uint32_t size;     /* sizeof(omnistore_source) */
  uint32_t reserved; /* 0 */

  /* Reads up to `capacity` bytes into `buffer` and stores their number in *read; 0: that was the end. May block.
   * A failure means that the writer went away: the driver keeps the old value and returns that status. [call] */
  omnistore_status(OMNISTORE_CALL *read)(omnistore_source *source, void *buffer, uint64_t capacity, uint64_t *read);
};

/* Where keys go out: the keys of a listing's page, or those that a clear removed. */
struct omnistore_page {
  uint32_t size;     /* sizeof(omnistore_page) */
  uint32_t reserved; /* 0 */

  /* One key, whole (with its base), and its meta where that was asked for and is known without reading the value;
   * else null. When it does not return OMNISTORE_OK the driver stops and returns that status. The rules on blocking
   * are those of the sink. [call] */
  omnistore_status(OMNISTORE_CALL *emit)(omnistore_page *page, omnistore_bytes key, const omnistore_meta *meta);

  /* Where the next page goes on: opaque to the host, at most OMNISTORE_MAX_CURSOR_SIZE bytes. It must still be good, or be refused with
   * OMNISTORE_INVALID, at any later time, also after a restart. Not calling it says: that was all. [call] */
  void(OMNISTORE_CALL *next)(omnistore_page *page, omnistore_bytes cursor);

  /* The listing, or the clear, goes on without what lies under `base` (a prefix that ends in ':', or one key), which
   * cannot be read; the host tells its caller. `status` (OMNISTORE_DENIED, OMNISTORE_IO) and `message` say why, as a
   * call's `fail` does; both are copied. It is for a lasting fault of one place: a fault that may soon be gone fails the
   * whole listing instead. When it does not return OMNISTORE_OK the driver stops and returns that status. Null if the
   * host does not know it. [call] */
  omnistore_status(OMNISTORE_CALL *skip)(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                         omnistore_bytes message);
};

/* -------------------------------------------------------------------------------------------------- the requests */
/* Requests may carry fields that the driver does not know; `flags` are open to new values, and a flag whose neglect
 * would give a wrong answer is only set for drivers that state the capability for it. */

typedef struct omnistore_open_request {
  uint32_t size;           /* sizeof(omnistore_open_request) */
  uint32_t flags;          /* 0 */
  omnistore_bytes options; /* one JSON object that fits the driver's schema, defaults filled in */
  const omnistore_store *const *children; /* opened stores in the config's order, usable from `open` on and valid
                                             until `close` has returned */
  uint32_t child_count;
  uint32_t reserved; /* 0 */
} omnistore_open_request;

/* Of get, get_many, stat and stat_many. A stat gives no bytes: its offset is 0, its length UINT64_MAX. */
typedef struct omnistore_get_request {
  uint32_t size;   /* sizeof(omnistore_get_request) */
  uint32_t flags;  /* OMNISTORE_GET_... */
  uint64_t offset; /* the first byte wanted. Not 0 only with OMNISTORE_CAN_RANGE; from the value's end on: no bytes */
  uint64_t length; /* how many at most; UINT64_MAX: to the end. Other values only with OMNISTORE_CAN_RANGE */
} omnistore_get_request;
/* value_size, mtime and expiry are always wanted. */
#define OMNISTORE_GET_META 0x1u /* meta.etag is wanted too, if it is known at no further cost. Without: leave it empty */
#define OMNISTORE_GET_USER 0x2u /* meta.user is wanted too. Without the flag leave it empty, and spend nothing on it.
                                   A stat finds it at any cost. A get or get_many may leave it out, without
                                   OMNISTORE_META_USER, if it would take the backend another request than the one for
                                   the value. Only with OMNISTORE_CAN_META */

/* The condition of a write. Other than ALWAYS only with the capability for it. Open to new values, each with a
 * capability of its own: a driver is never given one that it does not state. */
#define OMNISTORE_ALWAYS 0u
#define OMNISTORE_IF_ABSENT 1u  /* there is no live value */
#define OMNISTORE_IF_PRESENT 2u /* there is a live value */
#define OMNISTORE_IF_MATCH 3u   /* there is a live value, and its etag is the request's */

typedef struct omnistore_set_request {
  uint32_t size;            /* sizeof(omnistore_set_request) */
  uint32_t flags;           /* 0 */
  omnistore_bytes value;    /* the whole value, where source is null */
  omnistore_source *source; /* else it comes from here: only with OMNISTORE_CAN_STREAM */
  uint64_t source_size;     /* how much will come; OMNISTORE_UNKNOWN_SIZE: not known. Less or more is a failure */
  int64_t expiry;           /* when the value ends; 0: never. Not 0 only with OMNISTORE_CAN_TTL */
  uint32_t condition;       /* OMNISTORE_ALWAYS, ... */
  uint32_t reserved;        /* 0 */
  omnistore_bytes etag;     /* for OMNISTORE_IF_MATCH */
  omnistore_bytes user;     /* the user's own meta, stored with the value in one step; empty: the value has none, and
                               that of an older value goes. Not empty only with OMNISTORE_CAN_META */
} omnistore_set_request;

typedef struct omnistore_remove_request {
  uint32_t size;        /* sizeof(omnistore_remove_request) */
  uint32_t flags;       /* 0 */
  uint32_t condition;   /* OMNISTORE_ALWAYS, OMNISTORE_IF_PRESENT (the same here) or OMNISTORE_IF_MATCH */
  uint32_t reserved;    /* 0 */
  omnistore_bytes etag; /* for OMNISTORE_IF_MATCH */
} omnistore_remove_request;

typedef struct omnistore_touch_request {
  uint32_t size;  /* sizeof(omnistore_touch_request) */
  uint32_t flags; /* OMNISTORE_TOUCH_...: which of the fields below are to be changed, at least one */
  int64_t expiry; /* the new end; 0: never. Only with OMNISTORE_CAN_TTL */
  omnistore_bytes user; /* the new user meta; empty: none. Only with OMNISTORE_CAN_META */
} omnistore_touch_request;
#define OMNISTORE_TOUCH_EXPIRY 0x1u
#define OMNISTORE_TOUCH_USER 0x2u

typedef struct omnistore_list_request {
  uint32_t size;          /* sizeof(omnistore_list_request) */
  uint32_t flags;         /* OMNISTORE_LIST_META or 0 */
  omnistore_bytes base;   /* only keys that start with it; it ends in ':' or is empty */
  uint32_t depth;         /* only keys with at most so many ':' behind the base; OMNISTORE_ANY_DEPTH: all. Others only
                             with OMNISTORE_CAN_DEPTH */
  uint32_t limit;         /* emit at most so many keys in this page, at least 1 */
  omnistore_bytes cursor; /* what the page before gave to `next`; empty: from the start */
} omnistore_list_request;
#define OMNISTORE_LIST_META 0x1u /* meta is wanted with each key, where it is known without reading values */
#define OMNISTORE_ANY_DEPTH UINT32_MAX

typedef struct omnistore_clear_request {
  uint32_t size;        /* sizeof(omnistore_clear_request) */
  uint32_t flags;       /* 0 */
  omnistore_bytes base; /* all keys that start with it; it ends in ':', or is empty: everything in the store */
} omnistore_clear_request;

typedef struct omnistore_watch_request {
  uint32_t size;        /* sizeof(omnistore_watch_request) */
  uint32_t flags;       /* 0 */
  omnistore_bytes base; /* changes of keys that start with it; it ends in ':', or is empty: of all keys */
} omnistore_watch_request;

/* -------------------------------------------------------------------------------------------------------- events */

/* Open to new values: a reader drops an event of a type that it does not know. */
#define OMNISTORE_EVENT_UPDATE 1u
#define OMNISTORE_EVENT_REMOVE 2u
#define OMNISTORE_EVENT_RESYNC 3u /* some were lost: what is known of this store may be old. No key */
#define OMNISTORE_EVENT_LIMITED 4u /* the watch does not report all changes that others make. `key` is not a key but the
                                      reason, a text for people. The host shows each reason once */

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
  uint64_t count; /* of a resync: how many were lost, 0: unknown */
} omnistore_event;

/* Where the events of a watch go. */
struct omnistore_watcher {
  uint32_t size;     /* sizeof(omnistore_watcher) */
  uint32_t reserved; /* 0 */
  /* One event, copied. Never blocks, calls back into no store, may be used under the driver's own locks.
   * [any], from the call of `watch` until `unwatch` returns */
  void(OMNISTORE_CALL *event)(omnistore_watcher *watcher, const omnistore_event *event);
};

/* -------------------------------------------------------------------------------------------- the host's services */

/* Open to new values: a host takes a level that it does not know as the nearest one below it. */
#define OMNISTORE_LOG_TRACE 0u
#define OMNISTORE_LOG_DEBUG 1u
#define OMNISTORE_LOG_INFO 2u
#define OMNISTORE_LOG_WARN 3u
#define OMNISTORE_LOG_ERROR 4u

/* A background task. The time left of `call` becomes 0 when the store is about to close, and a long task must then
 * return. What it tells `fail` goes to the log. [task] */
typedef void(OMNISTORE_CALL *omnistore_task)(void *argument, omnistore_call *call);

/* How a task runs. Tasks without OMNISTORE_TASK_PARALLEL run one at a time for a store. */
#define OMNISTORE_TASK_PARALLEL 0x1u /* it may run beside every other task of the store */

/* The host as one store sees it: each store is given its own. It is valid from the call of `open` until `close`
 * returns, or until a failing `open` returns. */
struct omnistore_host {
  uint32_t size; /* sizeof(omnistore_host) */
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t reserved;

  /* Writes one line to the host's log; the host adds mount and driver. No secrets. [any] */
  void(OMNISTORE_CALL *log)(const omnistore_host *host, uint32_t level, omnistore_bytes message);

  /* The time of day in Unix milliseconds, on a clock that never steps back while the host runs: the one that every
   * expiry is measured against. Costs about as much as a read of the system's clock. [any] */
  int64_t(OMNISTORE_CALL *now)(const omnistore_host *host);

  /* Runs task(argument) once, not before `delay` milliseconds from now, on a thread of the host's. `flags`:
   * OMNISTORE_TASK_... or 0; a host ignores flags that it does not know. The host shares its threads out fairly: the
   * tasks of one store never hold all of them. A task may wait, but one that waits for long, such as for a socket,
   * belongs on a thread of the driver's own (GUIDE.md). When the store closes, its running tasks are waited for and the
   * others are dropped, before `close` is called: `argument` must therefore be owned by the store. Returns
   * OMNISTORE_UNAVAILABLE when the store is closing or the host's queue is full; the task will then not run. [any] */
  omnistore_status(OMNISTORE_CALL *submit)(const omnistore_host *host, omnistore_task task, void *argument,
                                           uint64_t delay, uint32_t flags);

  /* Tells of a removal that the store made by itself (causes EXPIRED and EVICTED). Changes asked for through the
   * store's functions are told by the host, not here. Never blocks; may be used under the driver's own locks. [any] */
  void(OMNISTORE_CALL *event)(const omnistore_host *host, const omnistore_event *event);

  /* A table that belongs to the named extension ("omnistore.NAME/REV"), or null when the host does not have it. It
   * is valid as long as the host. [any] */
  const void *(OMNISTORE_CALL *extension)(const omnistore_host *host, const char *id);
};

/* --------------------------------------------------------------------------------------- what a store is and can do */

/* Thread models. Values in between may come; a host treats an unknown one as the next lower that it knows.
 * Tasks and [any] functions run beside the functions of a serialized store: it guards what they share by itself. A client
 * that reads or sends slowly does not hold up a serialized store, since the host gathers the value in memory; a Reader
 * or Source of a program, and the sink of a layer, are called under the lock. */
#define OMNISTORE_SERIALIZED 100u /* one [store] function at a time for a store; the host holds a lock around each */
#define OMNISTORE_PARALLEL 200u   /* any number at once for a store */

/* How long an acknowledged write is kept, whatever happens to ... Values in between may come; a reader takes an unknown
 * one as the next lower that it knows. The host shows it, and looks for expiries and user meta that it kept itself in an
 * earlier run unless it is NOTHING. */
#define OMNISTORE_KEEPS_UNKNOWN 0u
#define OMNISTORE_KEEPS_NO_VALUE 50u /* ... not even until it is read: a get finds nothing of what was set           */
#define OMNISTORE_KEEPS_NOTHING 100u /* ... nothing: gone when the store closes                                     */
#define OMNISTORE_KEEPS_PROCESS 200u /* ... the host's process                                                      */
#define OMNISTORE_KEEPS_POWER 300u   /* ... the machine's power                                                     */

/* The order in which list emits keys. Values in between may come; a reader takes an unknown one as the next lower that it
 * knows. */
#define OMNISTORE_ORDER_NONE 0u   /* none                                                                           */
#define OMNISTORE_ORDER_KEYS 200u /* ascending by the keys' bytes                                                   */

/* Capabilities: what the driver does natively. The host emulates what is missing where it can do so honestly, and
 * answers OMNISTORE_UNSUPPORTED where it cannot. (Optional functions need no bit: a null entry says it.) Open to new bits:
 * a host ignores those that it does not know, and a layer never sees them in its child's traits.
 *
 * A layer states what its own functions keep, whatever its children state. It may pass on what it hands down unchanged:
 * READS_ONLY, SHARED, NESTS, the CAN_... of functions that it forwards whole, the limits (less what it adds to keys and
 * values), `keeps` and `order`. It may be PARALLEL over a serialized child, around which the host holds the lock. The
 * host counts NEVER_BLOCKS only if every child has it. */
#define OMNISTORE_READS_ONLY 0x1ull        /* takes no writes                                                        */
#define OMNISTORE_NEVER_BLOCKS 0x2ull      /* no function waits for a disk, a network or another process             */
#define OMNISTORE_SHARED 0x4ull            /* others than this store may change what it holds. The host then emulates
                                              no condition, which its own lock could not keep, and tells watchers
                                              that changes by others are not seen if there is no `watch` */
#define OMNISTORE_NESTS 0x8ull             /* `a` and `a:b` can both be keys. The host shows it; a layer may need it  */
#define OMNISTORE_CAN_TTL 0x10ull          /* keeps expiries: from the moment now() >= expiry on, a value is not given
                                              out or listed */
#define OMNISTORE_CAN_META 0x20ull         /* keeps the user's own meta with the value, and has touch                 */
#define OMNISTORE_CAN_ETAG 0x40ull         /* gives etags                                                            */
#define OMNISTORE_CAN_IF_ABSENT 0x80ull    /* OMNISTORE_IF_ABSENT, atomically, against every other writer             */
#define OMNISTORE_CAN_IF_PRESENT 0x100ull  /* OMNISTORE_IF_PRESENT, likewise                                         */
#define OMNISTORE_CAN_IF_MATCH 0x200ull    /* OMNISTORE_IF_MATCH, likewise, for set and remove                       */
#define OMNISTORE_CAN_RANGE 0x400ull       /* get reads a part without reading the whole                             */
#define OMNISTORE_CAN_STREAM 0x800ull      /* set takes a source                                                     */
#define OMNISTORE_CAN_DEPTH 0x1000ull      /* list honours depth, without visiting what lies deeper                  */
#define OMNISTORE_CAN_LIST_META 0x2000ull  /* list gives meta                                                        */
#define OMNISTORE_WATCHES_OWN 0x4000ull    /* watch also tells of changes made through this store's functions; the
                                              host then leaves the telling to it while a watch runs                  */

/* What a store is and can do. The driver's table holds what is so for most stores of it; `open` may change the copy
 * that it is given where options or children make a difference. */
typedef struct omnistore_traits {
  uint32_t size;           /* sizeof(omnistore_traits) */
  uint32_t thread_model;   /* OMNISTORE_SERIALIZED or OMNISTORE_PARALLEL: must be stated */
  uint64_t capabilities;   /* OMNISTORE_CAN_... and the like */
  uint64_t max_key_size;   /* bytes; 0: no limit of its own */
  uint64_t max_value_size; /* bytes; 0: no limit of its own */
  uint32_t max_batch;      /* items that one ..._many takes; 0: no limit of its own */
  uint32_t keeps;          /* OMNISTORE_KEEPS_... */
  uint32_t order;          /* OMNISTORE_ORDER_... */
  uint32_t reserved;       /* 0 */
  int64_t min_ttl;         /* the shortest ttl kept, milliseconds; 0: any. The host raises an expiry in the future to
                              now() + min_ttl before the driver sees it */
  int64_t ttl_grain;       /* expiries are kept as multiples of it, milliseconds; 0: exact. The host rounds an expiry up
                              to such a multiple before the driver sees it */
} omnistore_traits;

/* ------------------------------------------------------------------------------------------------------ the driver */

/* One kind of store: the table that a driver implements. Static and constant.
 *
 * A plugin's file that is replaced takes effect at the host's next reload: stores that are opened from then on come
 * from the new file, and those that stay open keep the old one until they close.
 *
 * Keys come normalised: UTF-8 without NUL, segments joined by single ':', none at either end, 1 to OMNISTORE_MAX_KEY_SIZE
 * bytes, no segment `.` or `..`. A key that ends in `$` is one of a layer's own, and has no user meta; otherwise it is like any
 * other. A store may keep the user meta of `a` as the value of `a$`, as unstorage does, so a layer uses no `a$` whose `a`
 * could be a key of a user's.
 *
 * The first group of functions is required. An entry of the second that is null is emulated by the host.
 * A layer sees each child as a store whose table has every entry from `get` on filled, by the host where the driver's own
 * is null; `open` and `close` are null, since the host opens and closes it. */
struct omnistore_driver {
  uint32_t size;     /* sizeof(omnistore_driver) */
  uint32_t reserved; /* 0 */

  const char *name;           /* what a config calls it: [a-z][a-z0-9-]*, at most 64 bytes */
  const char *version;        /* the driver's own, as people read it */
  const char *summary;        /* one line, without a full stop */
  const char *options_schema; /* a JSON Schema (an object's) of the options; null: it takes none */
  uint32_t min_children;      /* 0 and 0: a leaf */
  uint32_t max_children;
  const omnistore_traits *traits;

  /* --- required --- */

  /* Opens a store. `traits` is a copy of the driver's own, to be changed where this store differs. On OMNISTORE_OK
   * *self names the store (null is allowed). On failure everything is undone, `close` is not called, and the message says
   * what is wrong and what would be right. Any failure may be returned: OMNISTORE_INVALID for options that can never work,
   * OMNISTORE_UNAVAILABLE for a backend that is away, ... The mount then fails with that status. A store whose backend
   * comes and goes opens without it, and answers OMNISTORE_UNAVAILABLE meanwhile. May block until the deadline.
   * Options of the schema's format "path" come as absolute paths: the host resolves them against the folder of its config.
   * One driver may be opened any number of times, also at once: keep no globals. [driver] */
  omnistore_status(OMNISTORE_CALL *open)(const omnistore_host *host, omnistore_call *call,
                                         const omnistore_open_request *request, omnistore_traits *traits,
                                         void **self);

  /* Closes it: writes out what must be kept, frees everything, joins every thread. After the host's last call of a
   * [store] function has returned; exactly once. It cannot fail; what goes wrong is logged. [close] */
  void(OMNISTORE_CALL *close)(void *self);

  /* Gives out a value. OMNISTORE_NOT_FOUND where the key has none, or it has expired: without having begun. [store] */
  omnistore_status(OMNISTORE_CALL *get)(void *self, omnistore_call *call, omnistore_bytes key,
                                        const omnistore_get_request *request, omnistore_sink *sink);

  /* Gives out a value's meta (begin, no bytes) without reading the value where it can. `meta.value_size` is known
   * unless telling it would mean reading the value. OMNISTORE_NOT_FOUND as get. [store] */
  omnistore_status(OMNISTORE_CALL *stat)(void *self, omnistore_call *call, omnistore_bytes key,
                                         const omnistore_get_request *request, omnistore_sink *sink);

  /* Stores a value in place of any older one, whole: a reader at the same time gets the old or the new, never a
   * mixture, and a failure leaves the old. Meta (user, expiry) is replaced with it. An empty value is a value. The
   * condition is looked at first. If it holds and the expiry has passed already, the set removes the key and returns
   * OMNISTORE_OK, whether or not there was a value. When `result` is not null and the driver gives etags, begin it
   * once with the new value's meta. OMNISTORE_CONFLICT when the condition does not hold, OMNISTORE_READ_ONLY,
   * OMNISTORE_TOO_LARGE, OMNISTORE_NO_SPACE. [store] */
  omnistore_status(OMNISTORE_CALL *set)(void *self, omnistore_call *call, omnistore_bytes key,
                                        const omnistore_set_request *request, omnistore_sink *result);

  /* Removes a value. OMNISTORE_NOT_FOUND where there was none (with OMNISTORE_IF_MATCH: OMNISTORE_CONFLICT).
   * Removing `a` leaves `a:b`. [store] */
  omnistore_status(OMNISTORE_CALL *remove)(void *self, omnistore_call *call, omnistore_bytes key,
                                           const omnistore_remove_request *request);

  /* Emits the keys under a base, a page at a time, reading no more than the base where it can. A page may be short or
   * empty and still have a next one. While others write, a run over all pages gives every key that was there
   * throughout, none twice. A base without keys is an empty page. [store] */
  omnistore_status(OMNISTORE_CALL *list)(void *self, omnistore_call *call, const omnistore_list_request *request,
                                         omnistore_page *page);

  /* --- optional --- */

  /* Removes every key under a base, by less than a call of `remove` for each. Each key that was removed is emitted
   * to `removed` unless that is null; a key whose value had expired may be emitted or not. On failure a part may have
   * been removed, and OMNISTORE_NOTHING_DONE says that none was. [store] */
  omnistore_status(OMNISTORE_CALL *clear)(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                          omnistore_page *removed);

  /* The batches: get, stat, set and remove of `count` keys in fewer round trips than `count`. keys[i], *requests[i] and
   * the sink of i belong together. `sinks` and `requests` are arrays of `count` pointers, none of them null; several may
   * be the same request. `results` of set_many is null, or an array of `count` pointers of which any may be null: for
   * those that are not, the driver begins the sink with the new value's meta as set does.
   *
   * Item i's outcome is put into statuses[i] (which the host has set to OMNISTORE_INTERNAL), its failure given to fail
   * with item i. They return OMNISTORE_OK when every status was put there, whatever it is; another status holds for all
   * items. An item that fails, also because its sink does not take it, does not end the batch. A key may stand in a batch
   * twice; then the last set wins. [store] */
  omnistore_status(OMNISTORE_CALL *get_many)(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                             uint32_t count, const omnistore_get_request *const *requests,
                                             omnistore_sink *const *sinks, omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *stat_many)(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                              uint32_t count, const omnistore_get_request *const *requests,
                                              omnistore_sink *const *sinks, omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *set_many)(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                             uint32_t count, const omnistore_set_request *const *requests,
                                             omnistore_sink *const *results, omnistore_status *statuses); /* [store] */
  omnistore_status(OMNISTORE_CALL *remove_many)(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                                uint32_t count, const omnistore_remove_request *const *requests,
                                                omnistore_status *statuses); /* [store] */

  /* Changes a value's expiry, or its user meta, or both, without rewriting it: its etag and mtime stay. Only with
   * OMNISTORE_CAN_TTL or OMNISTORE_CAN_META. An expiry that has passed removes the value. OMNISTORE_NOT_FOUND as get,
   * OMNISTORE_TOO_LARGE. [store] */
  omnistore_status(OMNISTORE_CALL *touch)(void *self, omnistore_call *call, omnistore_bytes key,
                                          const omnistore_touch_request *request);

  /* Begins to tell `watcher` of changes under a base that others made (with OMNISTORE_WATCHES_OWN: of all changes),
   * with a RESYNC where some were lost. Changes made after watch has returned are told. *watch names it. [store] */
  omnistore_status(OMNISTORE_CALL *watch)(void *self, omnistore_call *call, const omnistore_watch_request *request,
                                          omnistore_watcher *watcher, void **watch);

  /* Ends it; returns after the last event has been told. Every watch is ended before `close`. Present where watch is.
   * [store], and while a [store] function of a serialized store runs */
  void(OMNISTORE_CALL *unwatch)(void *self, void *watch);

  /* A table that belongs to the named extension, or null. With a null self: one that holds for the driver [driver]; else
   * it is valid as long as the store. [store] */
  const void *(OMNISTORE_CALL *extension)(void *self, const char *id);
};

/* An opened store as a layer sees it: child->driver->get(child->self, ...). `traits` are those of this store. It does
 * not change while it is open. */
struct omnistore_store {
  uint32_t size;     /* sizeof(omnistore_store) */
  uint32_t reserved; /* 0 */
  const omnistore_driver *driver;
  const omnistore_traits *traits;
  void *self;
};

/* ------------------------------------------------------------------------------------------------------ the plugin */

/* What a plugin is. The first three fields keep their place and meaning in every major to come. */
typedef struct omnistore_plugin {
  uint32_t size;      /* sizeof(omnistore_plugin) */
  uint32_t abi_major; /* OMNISTORE_ABI_MAJOR as the plugin was compiled */
  uint32_t abi_minor; /* OMNISTORE_ABI_MINOR, likewise */
  uint32_t flags;     /* OMNISTORE_PLUGIN_...; a host ignores flags that it does not know */
  const char *name;    /* as people call it; may be null: the file's */
  const char *version; /* may be null */
  uint32_t driver_count;
  uint32_t reserved; /* 0 */
  const omnistore_driver *const *drivers;
} omnistore_plugin;

/* Once its last store is closed, no thread, callback or thread-local destructor of the plugin is left, and its file
 * may be unloaded. Without the flag it stays for the life of the process. */
#define OMNISTORE_PLUGIN_UNLOADS 0x1u

/* What the host speaks: every major from `oldest_major` to `major`. */
typedef struct omnistore_abi {
  uint32_t size; /* sizeof(omnistore_abi) */
  uint32_t oldest_major;
  uint32_t major;
  uint32_t minor; /* of `major` */
} omnistore_abi;

/* The one symbol of a plugin. Returns its table, static and constant. Where it can serve no major of the host's it may
 * return the table all the same, from which the host tells both versions, or null. No input or output, no threads, no
 * allocation. [entry] */
#define OMNISTORE_ENTRY "omnistore_plugin_entry"
typedef const omnistore_plugin *(OMNISTORE_CALL *omnistore_entry)(const omnistore_abi *host);
OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *host);

#ifdef __cplusplus
}
#endif

#endif /* OMNISTORE_DRIVER_H */
