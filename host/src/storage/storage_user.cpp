// SPDX-License-Identifier: Apache-2.0
// `k$`: the user's own meta of the value under `k`, read and written as unstorage does.
//
// It is no value of its own. It is a part of k's meta, and ends with k's value; so it has no ttl and no etag, and takes
// no condition.
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/sidecar_key.hpp"
#include "storage/sinks.hpp"

namespace omnistore {
namespace {

/// Returns the meta of the user meta, in the form of a value's meta.
Meta about(const Meta &of, std::uint64_t size) {
  Meta meta;
  meta.size = size;
  meta.expiry = of.expiry;
  return meta;
}

std::string_view part(std::string_view text, const GetOptions &options) {
  const std::uint64_t from = std::min<std::uint64_t>(options.offset, text.size());
  return text.substr(static_cast<std::size_t>(from),
                     static_cast<std::size_t>(std::min(options.length, text.size() - from)));
}

} // namespace

omnistore_bytes KeySpace::Route::owner() {
  // Only the value's key has to fit: its user meta has no key in the store, or the store has room for it.
  const std::string_view inside = owner_of(mount_->inside(key_.view(), room_));
  if (inside.size() > mount_->store->longest_key()) check_length(operation_, key_.shown(), *mount_, inside.size());
  return bytes(inside);
}

/// To the meta of a value that was read: its user meta, which did not come with it.
void KeySpace::add_user(Route &route, HostCall &call, Meta &meta) const {
  Meta whole;
  MetaSink sink(whole);
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_USER, 0, UINT64_MAX};
  const omnistore_status status = route.store().stat(&call, route.key(), request, &sink);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  meta.user = std::move(whole.user);
  meta.user_known = true;
}

/// The user meta; nullopt if there is none, or no value.
std::optional<Meta> KeySpace::user_meta(Route &route, HostCall &call) const {
  Meta meta;
  MetaSink sink(meta);
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_USER, 0, UINT64_MAX};
  const omnistore_status status = route.store().stat(&call, route.owner(), request, &sink);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  if (!route.found(status == OMNISTORE_OK && !meta.user.empty())) return std::nullopt;
  return meta;
}

bool KeySpace::get_user(Route &route, HostCall &call, std::string &into, const GetOptions &options, Meta *meta) const {
  std::optional<Meta> found = user_meta(route, call);
  if (!found) return false;
  if (meta) *meta = about(*found, found->user.size());
  into = part(found->user, options);
  return true;
}

bool KeySpace::read_user(Route &route, HostCall &call, Reader &reader, const GetOptions &options) const {
  const std::optional<Meta> found = user_meta(route, call);
  if (!found) return false;
  const std::string_view wanted = part(found->user, options);
  char *place = reader.begin(about(*found, found->user.size()));
  if (!place && !wanted.empty()) reader.write(wanted);
  if (place) std::memcpy(place, wanted.data(), wanted.size());
  return true;
}

std::optional<Meta> KeySpace::meta_of_user(Route &route, HostCall &call) const {
  const std::optional<Meta> found = user_meta(route, call);
  if (!found) return std::nullopt;
  return about(*found, found->user.size());
}

/// Gives the value other user meta, or none if it is empty. Returns false if there is no value.
bool KeySpace::set_user(Route &route, HostCall &call, std::string_view user) const {
  const omnistore_touch_request request{sizeof request, OMNISTORE_TOUCH_USER, 0, bytes(user)};
  const omnistore_status status = route.store().touch(&call, route.owner(), request);
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) route.raise(status, call);
  return route.found(status == OMNISTORE_OK);
}

void KeySpace::Route::check_user(const SetOptions &options) const {
  if (options.ttl) refuse(Status::invalid, "user meta has no ttl of its own: it ends with its value");
  if (!options.user.empty()) refuse(Status::invalid, "user meta has no user meta");
  check_user(options.condition);
}

void KeySpace::Route::check_user(const Condition &condition) const {
  if (condition.kind != Condition::Kind::always)
    refuse(Status::unsupported, "a condition holds for values, not for their user meta");
}

void KeySpace::Route::refuse(Status status, std::string_view why) const {
  throw Error(status, failure(operation_, key_.shown(), *mount_, why));
}

Stored KeySpace::put_user(Route &route, const Key &key, HostCall &call, std::string_view user,
                          const SetOptions &options) {
  route.check_writable();
  route.check_user(options);
  if (!set_user(route, call, user) && !user.empty())
    route.refuse(Status::not_found, "there is no value that this could be the user meta of");
  publish(route.mount(), Event::Type::update, Event::Cause::none, key.view());
  return {};
}

Stored KeySpace::put_user(Route &route, const Key &key, HostCall &call, Source &source, std::uint64_t size,
                          const SetOptions &options) {
  std::string user;
  for (std::size_t had = 0;; had = user.size()) {
    user.resize(had + 64 * 1024);
    user.resize(had + source.read(user.data() + had, 64 * 1024));
    if (user.size() == had) break;
    if (user.size() > OMNISTORE_MAX_USER_SIZE)
      route.refuse(Status::too_large, "user meta of more than " + std::to_string(OMNISTORE_MAX_USER_SIZE) + " bytes");
  }
  if (size != UINT64_MAX && user.size() != size)
    route.refuse(Status::invalid,
                 "the source gave " + std::to_string(user.size()) + " bytes of " + std::to_string(size));
  return put_user(route, key, call, user, options);
}

bool KeySpace::remove_user(Route &route, const Key &key, HostCall &call, const RemoveOptions &options) {
  route.check_writable();
  route.check_user(options.condition);
  if (!user_meta(route, call)) return false;
  if (!set_user(route, call, {})) return false;
  publish(route.mount(), Event::Type::update, Event::Cause::none, key.view());
  return true;
}

} // namespace omnistore
