// SPDX-License-Identifier: Apache-2.0
#include <omnistore/view.hpp>

#include "storage/key.hpp"
#include "storage/key_space.hpp"

namespace omnistore {

bool View::get(std::string_view key, std::string &into, const GetOptions &options) const {
  return space().get(Key(base_, key), into, options);
}

std::optional<std::string> View::get(std::string_view key, const GetOptions &options) const {
  std::optional<std::string> value(std::in_place);
  if (!get(key, *value, options)) value.reset();
  return value;
}

std::optional<Entry> View::entry(std::string_view key, const GetOptions &options) const {
  return space().entry(Key(base_, key), options);
}

bool View::read(std::string_view key, Reader &reader, const GetOptions &options) const {
  return space().read(Key(base_, key), reader, options);
}

bool View::has(std::string_view key, const CallOptions &options) const { return space().has(Key(base_, key), options); }
std::optional<Meta> View::meta(std::string_view key, const MetaOptions &options) const {
  return space().meta(Key(base_, key), options);
}

Stored View::set(std::string_view key, std::string_view value, const SetOptions &options, bool want_etag) {
  return space().set(Key(base_, key), value, options, want_etag);
}

Stored View::set(std::string_view key, Source &source, std::uint64_t size, const SetOptions &options, bool want_etag) {
  return space().set(Key(base_, key), source, size, options, want_etag);
}

bool View::remove(std::string_view key, const RemoveOptions &options) {
  return space().remove(Key(base_, key), options);
}

bool View::touch(std::string_view key, std::chrono::milliseconds ttl, const CallOptions &options) {
  return space().touch(Key(base_, key), ttl, options);
}

std::vector<EntryOutcome> View::get_many(std::span<const std::string> keys, const GetOptions &options) const {
  return space().get_many(base_, keys, options);
}

std::vector<Outcome> View::set_many(std::span<const SetItem> items, const CallOptions &options, bool want_etags) {
  return space().set_many(base_, items, options, want_etags);
}
std::vector<Outcome> View::remove_many(std::span<const std::string> keys, const CallOptions &options) {
  return space().remove_many(base_, keys, options);
}

Page View::list(std::string_view base, const ListOptions &options) const { return space().list(base_, base, options); }

std::uint64_t View::clear(std::string_view base, const CallOptions &options) {
  return space().clear(base_, base, options);
}

Watch View::watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options) {
  return space().watch(base_, base, std::move(callback), options);
}

View View::prefixed(std::string_view base) const { return View(space(), base_ + normal_base(base)); }

} // namespace omnistore
