// SPDX-License-Identifier: Apache-2.0
// Operations on one key.
#include "base/clock.hpp"
#include "config/formats.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/sinks.hpp"
#include "storage/source_feed.hpp"

namespace omnistore {
namespace {

omnistore_get_request get_request(const GetOptions &options) {
  return {sizeof(omnistore_get_request), get_flags(options), options.offset, options.length};
}

/// Counts the bytes of a value that came.
template <typename Sink>
omnistore_status delivered(omnistore_status status, const Sink &sink, Store &store) {
  if (status != OMNISTORE_OK) return status;
  store.meter().here().add(Count::bytes_read, sink.taken());
  return OMNISTORE_OK;
}

} // namespace

Meta to_meta(const omnistore_meta &meta) {
  return {meta.value_size,
          meta.mtime,
          meta.expiry,
          std::string(view(meta.etag)),
          std::string(view(meta.user)),
          (meta.flags & OMNISTORE_META_USER) != 0};
}

std::uint32_t get_flags(const GetOptions &options) {
  return (options.meta ? OMNISTORE_GET_META : 0u) | (options.user ? OMNISTORE_GET_USER : 0u);
}

std::uint32_t to_condition(Condition::Kind kind) {
  switch (kind) {
  case Condition::Kind::always:
    return OMNISTORE_ALWAYS;
  case Condition::Kind::if_absent:
    return OMNISTORE_IF_ABSENT;
  case Condition::Kind::if_present:
    return OMNISTORE_IF_PRESENT;
  case Condition::Kind::if_match:
    return OMNISTORE_IF_MATCH;
  }
  return OMNISTORE_ALWAYS;
}

std::int64_t expiry_of(const Mount &mount, const SetOptions &options) {
  const std::int64_t ttl = options.ttl ? options.ttl->count() : mount.ttl;
  if (ttl < 0 || ttl > config::max_ttl)
    throw Error(Status::invalid, "a ttl of " + std::to_string(ttl) + " ms: " + config::check_ttl(ttl));
  if (ttl == 0) return 0;
  const std::int64_t now = now_ms();
  return now + ttl;
}

bool KeySpace::get(const Key &key, std::string &into, const GetOptions &options) const {
  Route route(*this, "get", key);
  HostCall call(options);
  if (key.is_meta()) return get_user(route, call, into, options, nullptr);
  StringSink sink(into, options);
  const omnistore_status status =
      delivered(route.store().get(&call, route.key(), get_request(options), &sink), sink, route.store());
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  return route.found(status == OMNISTORE_OK);
}

std::optional<Entry> KeySpace::entry(const Key &key, const GetOptions &options) const {
  Route route(*this, "get", key);
  HostCall call(options);
  Entry entry;
  if (key.is_meta()) {
    if (!get_user(route, call, entry.value, options, &entry.meta)) return std::nullopt;
    return entry;
  }
  omnistore_get_request request = get_request(options);
  request.flags |= OMNISTORE_GET_META;
  StringSink sink(entry.value, options, &entry.meta);
  const omnistore_status status = delivered(route.store().get(&call, route.key(), request, &sink), sink, route.store());
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  if (!route.found(status == OMNISTORE_OK)) return std::nullopt;
  if (options.user && !entry.meta.user_known) add_user(route, call, entry.meta);
  return entry;
}

bool KeySpace::read(const Key &key, Reader &reader, const GetOptions &options) const {
  Route route(*this, "get", key);
  HostCall call(options);
  if (key.is_meta()) return read_user(route, call, reader, options);
  ReaderSink sink(reader, options, call);
  const omnistore_status status = route.store().get(&call, route.key(), get_request(options), &sink);
  sink.rethrow();
  const omnistore_status whole = delivered(status, sink, route.store());
  if (whole != OMNISTORE_OK && whole != OMNISTORE_NOT_FOUND) route.raise(whole, call);
  return route.found(whole == OMNISTORE_OK);
}

bool KeySpace::has(const Key &key, const CallOptions &options) const {
  Route route(*this, "has", key);
  HostCall call(options);
  if (key.is_meta()) return user_meta(route, call).has_value();
  Meta meta;
  MetaSink sink(meta);
  const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
  const omnistore_status status = route.store().stat(&call, route.key(), request, &sink);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  return route.found(status == OMNISTORE_OK);
}

std::optional<Meta> KeySpace::meta(const Key &key, const MetaOptions &options) const {
  Route route(*this, "meta", key);
  HostCall call(options);
  if (key.is_meta()) return meta_of_user(route, call);
  Meta meta;
  MetaSink sink(meta);
  const std::uint32_t flags = OMNISTORE_GET_META | (options.user ? OMNISTORE_GET_USER : 0u);
  const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
  const omnistore_status status = route.store().stat(&call, route.key(), request, &sink);
  if (!route.found(status != OMNISTORE_NOT_FOUND)) return std::nullopt;
  if (status != OMNISTORE_OK) route.raise(status, call);
  return meta;
}

Stored KeySpace::set(const Key &key, std::string_view value, const SetOptions &options, bool want_etag) {
  Route route(*this, "set", key);
  HostCall call(options);
  if (key.is_meta()) return put_user(route, key, call, value, options);
  return put(route, key, call, {bytes(value), nullptr, 0}, options, want_etag);
}

Stored KeySpace::set(const Key &key, Source &source, std::uint64_t size, const SetOptions &options, bool want_etag) {
  Route route(*this, "set", key);
  HostCall call(options);
  if (key.is_meta()) return put_user(route, key, call, source, size, options);
  SourceFeed feed(source, size, call);
  try {
    const Stored stored = put(route, key, call, {{nullptr, 0}, &feed, size}, options, want_etag);
    feed.rethrow();
    return stored;
  } catch (const Error &) {
    feed.rethrow(); // the reason: the store knows only that its source failed
    throw;
  }
}

Stored KeySpace::put(Route &route, const Key &key, HostCall &call, const Given &given, const SetOptions &options,
                     bool want_etag) {
  route.check_writable();
  const omnistore_set_request request{sizeof request,
                                      0,
                                      given.value,
                                      given.source,
                                      given.source_size,
                                      expiry_of(route.mount(), options),
                                      to_condition(options.condition.kind),
                                      0,
                                      bytes(options.condition.etag),
                                      bytes(options.user)};
  Meta meta;
  MetaSink sink(meta);
  const omnistore_status status = route.store().set(&call, route.key(), request, want_etag ? &sink : nullptr);
  if (status == OMNISTORE_CONFLICT) {
    route.came_to("CONFLICT");
    return {false, {}};
  }
  if (status != OMNISTORE_OK) route.raise(status, call);
  publish(route.mount(), Event::Type::update, Event::Cause::none, key.view());
  return {true, std::move(meta.etag)};
}

bool KeySpace::remove(const Key &key, const RemoveOptions &options) {
  Route route(*this, "remove", key);
  route.check_writable();
  HostCall call(options);
  if (key.is_meta()) return remove_user(route, key, call, options);
  omnistore_remove_request request{};
  request.size = sizeof request;
  request.condition = to_condition(options.condition.kind);
  request.etag = bytes(options.condition.etag);
  if (request.condition == OMNISTORE_IF_ABSENT)
    throw Error(Status::invalid,
                failure("remove", key.shown(), route.mount(), "if-absent is no condition of a remove"));
  const omnistore_status status = route.store().remove(&call, route.key(), request);
  if (status == OMNISTORE_NOT_FOUND) return route.found(false);
  if (status != OMNISTORE_OK) route.raise(status, call);
  publish(route.mount(), Event::Type::remove, Event::Cause::removed, key.view());
  return true;
}

bool KeySpace::touch(const Key &key, std::chrono::milliseconds life, const CallOptions &asked) {
  Route route(*this, "touch", key);
  route.check_writable();
  HostCall call(asked);
  SetOptions options;
  options.ttl = life;
  if (key.is_meta()) route.check_user(options);
  const omnistore_touch_request request{
      sizeof request, OMNISTORE_TOUCH_EXPIRY, expiry_of(route.mount(), options), {nullptr, 0}};
  const omnistore_status status = route.store().touch(&call, route.key(), request);
  if (status == OMNISTORE_NOT_FOUND) return route.found(false);
  if (status != OMNISTORE_OK) route.raise(status, call);
  publish(route.mount(), Event::Type::update, Event::Cause::none, key.view());
  return true;
}

} // namespace omnistore
