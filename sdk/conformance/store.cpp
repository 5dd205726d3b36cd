// SPDX-License-Identifier: Apache-2.0
#include "store.hpp"

#include <algorithm>
#include <cstring>

#include "calling.hpp"

namespace omnistore::kit {

Meta meta_of(const omnistore_meta &meta) {
  require(meta.size >= 8, "a meta's size is " + std::to_string(meta.size));
  omnistore_meta whole{};
  std::memcpy(&whole, &meta, std::min<std::size_t>(meta.size, sizeof whole));
  Meta kept;
  kept.size = whole.value_size;
  kept.mtime = whole.mtime;
  kept.expiry = whole.expiry;
  kept.etag = as_view(whole.etag);
  kept.user = as_view(whole.user);
  kept.user_known = whole.flags & OMNISTORE_META_USER;
  require(kept.etag.size() <= 64, "an etag of " + std::to_string(kept.etag.size()) + " bytes; 64 are the most");
  for (const char c : kept.etag)
    require(c > ' ' && c < 127 && c != '"',
            "the etag " + shown(kept.etag) + ": printable ASCII without quotes is right");
  require(kept.user_known || kept.user.empty(), "user meta without OMNISTORE_META_USER");
  require(kept.expiry >= 0 && kept.mtime >= 0, "a time before 1970 in meta");
  return kept;
}

void Store::judge(const char *function, CallResult &done) const {
  switch (done.status) {
  case OMNISTORE_OK:
  case OMNISTORE_NOT_FOUND:
  case OMNISTORE_CONFLICT:
    return;
  default:
    require(!messages_needed_ || !done.message.empty(),
            std::string(function) + " failed with " + name_of(done.status) + " and gave no message");
  }
}

Store::Store(const omnistore_driver &driver, const std::string &options,
             std::span<const omnistore_store *const> children)
    : driver_(driver) {
  traits_ = omnistore_traits{};
  std::memcpy(&traits_, driver.traits, std::min<std::size_t>(driver.traits->size, sizeof traits_));
  traits_.size = sizeof traits_;
  Calling calling(*this, "open", options);
  auto **stores = calling.given.array<const omnistore_store *>(children.size(), "the children");
  std::copy(children.begin(), children.end(), stores);
  omnistore_open_request request{};
  request.size = sizeof request;
  request.options = calling.given.bytes(options, "the options");
  request.children = children.data();
  request.child_count = static_cast<std::uint32_t>(children.size());
  const omnistore_status status =
      driver.open(&host_, calling.raw(), calling.use_structs(request, "the request"), &traits_, &self_);
  calling.judge();
  if (status != OMNISTORE_OK) throw Broken("it does not open: " + name_of(status) + " (" + calling.message() + ")");
  open_ = true;
}

Store::~Store() { close(); }

void Store::close() {
  if (!open_) return;
  open_ = false;
  host_.stop();
  progress::say("close", "");
  driver_.close(self_);
}

GetResult Store::get(std::string_view key, const GetOptions &how) {
  GetResult got;
  Calling calling(*this, "get", key);
  Calling::Sink sink(calling, how.into);
  got.status = driver_.get(self_, calling.raw(), calling.given.bytes(key, "the key"), calling.reading(how), sink.raw());
  got.message = calling.message();
  calling.judge();
  sink.finish(got, &how);
  if (how.into.begin_fails == OMNISTORE_OK && how.into.write_fails == OMNISTORE_OK) judge("get", got);
  return got;
}

GetResult Store::stat(std::string_view key, std::uint32_t flags) {
  GetResult got;
  Calling calling(*this, "stat", key);
  const SinkOptions taking;
  Calling::Sink sink(calling, taking);
  got.status = driver_.stat(self_, calling.raw(), calling.given.bytes(key, "the key"),
                            calling.reading({flags, 0, UINT64_MAX, {}}), sink.raw());
  got.message = calling.message();
  calling.judge();
  sink.finish(got, nullptr);
  judge("stat", got);
  return got;
}

CallResult Store::set(std::string_view key, std::string_view value, const SetOptions &how) {
  Calling calling(*this, "set", key);
  std::optional<Calling::Source> source;
  const SinkOptions taking;
  std::optional<Calling::Sink> result;
  if (how.wants_meta) result.emplace(calling, taking);
  const omnistore_set_request *request = calling.writing(value, how, source);
  GetResult got;
  got.status =
      driver_.set(self_, calling.raw(), calling.given.bytes(key, "the key"), request, result ? result->raw() : nullptr);
  got.message = calling.message();
  got.nothing_done = calling.nothing_done();
  calling.judge();
  if (result && result->begun()) result->finish(got, nullptr);
  if (!how.source || how.source->fails == OMNISTORE_OK) judge("set", got);
  return got;
}

CallResult Store::remove(std::string_view key, std::uint32_t condition, std::string_view etag) {
  Calling calling(*this, "remove", key);
  omnistore_remove_request request{};
  request.size = sizeof request;
  request.flags = calling.flags(0);
  request.condition = condition;
  request.etag = calling.given.bytes(etag, "the etag");
  CallResult done;
  done.status = driver_.remove(self_, calling.raw(), calling.given.bytes(key, "the key"),
                               calling.use_structs(request, "the request"));
  done.message = calling.message();
  done.nothing_done = calling.nothing_done();
  calling.judge();
  judge("remove", done);
  return done;
}

Page Store::list(std::string_view base, const ListOptions &how) {
  if (!lists()) throw Skipped("it cannot list");
  return try_list(base, how);
}

Page Store::try_list(std::string_view base, const ListOptions &how) {
  Calling calling(*this, "list", base);
  Calling::PageFace page(calling, base, how);
  omnistore_list_request request{};
  request.size = sizeof request;
  request.flags = calling.flags((how.meta ? OMNISTORE_LIST_META : 0) | (how.reverse ? OMNISTORE_LIST_REVERSE : 0) |
                                (how.folders ? OMNISTORE_LIST_FOLDERS : 0));
  request.base = calling.given.bytes(base, "the base");
  request.depth = how.depth;
  request.limit = how.limit;
  request.cursor = calling.given.bytes(how.cursor, "the cursor");
  request.start = calling.given.bytes(how.start, "the start");
  request.end = calling.given.bytes(how.end, "the end");
  page.page.status =
      driver_.list(self_, calling.raw(),
                   calling.use_structs(request, "the request", offsetof(omnistore_list_request, start)), page.raw());
  page.page.message = calling.message();
  calling.judge();
  if (how.emit_fails == OMNISTORE_OK) judge("list", page.page);
  return std::move(page.page);
}

std::vector<std::string> Store::keys(std::string_view base, std::uint32_t limit, std::uint32_t depth) {
  ListOptions how;
  how.limit = limit;
  how.depth = depth;
  return names(base, how);
}

std::vector<std::string> Store::names(std::string_view base, ListOptions how) {
  std::vector<std::string> all;
  for (std::size_t empty = 0;;) {
    const Page page = list(base, how);
    require(page.ok(), "a listing of " + shown(base) + " came to " + shown(page));
    all.insert(all.end(), page.keys.begin(), page.keys.end());
    if (page.cursor.empty()) return all;
    require(page.cursor != how.cursor,
            "a listing of " + shown(base) + " makes no progress: a page gave its own cursor");
    empty = page.keys.empty() ? empty + 1 : 0;
    require(empty < 10'000, "a listing of " + shown(base) + " gave 10000 empty pages, each with a cursor");
    how.cursor = page.cursor;
  }
}

Page Store::clear(std::string_view base, bool wants_keys) {
  if (!driver_.clear) throw Skipped("the driver has no clear");
  Calling calling(*this, "clear", base);
  ListOptions how;
  how.limit = UINT32_MAX;
  Calling::PageFace page(calling, base, how);
  omnistore_clear_request request{};
  request.size = sizeof request;
  request.flags = calling.flags(0);
  request.base = calling.given.bytes(base, "the base");
  page.page.status = driver_.clear(self_, calling.raw(), calling.use_structs(request, "the request"),
                                   wants_keys ? page.raw() : nullptr);
  page.page.message = calling.message();
  calling.judge();
  judge("clear", page.page);
  return std::move(page.page);
}

std::vector<GetResult> Store::get_many(const std::vector<std::string> &keys, const GetOptions &how,
                                       std::optional<std::size_t> failing_sink, bool stat) {
  const char *function = stat ? "stat_many" : "get_many";
  if (stat ? !driver_.stat_many : !driver_.get_many) throw Skipped(std::string("the driver has no ") + function);
  Calling calling(*this, function, keys.empty() ? "" : keys[0]);
  auto *names = calling.given.array<omnistore_bytes>(keys.size(), "the keys");
  auto **sinks = calling.given.array<omnistore_sink *>(keys.size(), "the sinks");
  auto **requests = calling.given.array<const omnistore_get_request *>(keys.size(), "the requests");
  auto *statuses = calling.given.array<omnistore_status>(keys.size(), "the statuses");
  SinkOptions fails = how.into;
  fails.write_fails = fails.begin_fails = OMNISTORE_NO_SPACE;
  std::vector<std::unique_ptr<Calling::Sink>> made;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    names[i] = calling.given.bytes(keys[i], "a key");
    made.push_back(std::make_unique<Calling::Sink>(calling, failing_sink == i ? fails : how.into));
    sinks[i] = made.back()->raw();
    requests[i] = calling.reading(how);
    statuses[i] = OMNISTORE_INTERNAL;
  }
  const auto count = static_cast<std::uint32_t>(keys.size());
  const omnistore_status status = stat
                                      ? driver_.stat_many(self_, calling.raw(), names, count, requests, sinks, statuses)
                                      : driver_.get_many(self_, calling.raw(), names, count, requests, sinks, statuses);
  calling.judge();
  std::vector<GetResult> all(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    made[i]->finish(all[i], stat ? nullptr : &how);
    if (failing_sink != i) judge(function, all[i]);
  }
  return all;
}

std::vector<CallResult> Store::set_many(const std::vector<Item> &items) {
  if (!driver_.set_many) throw Skipped("the driver has no set_many");
  Calling calling(*this, "set_many", items.empty() ? "" : items[0].key);
  auto *names = calling.given.array<omnistore_bytes>(items.size(), "the keys");
  auto **requests = calling.given.array<const omnistore_set_request *>(items.size(), "the requests");
  auto *statuses = calling.given.array<omnistore_status>(items.size(), "the statuses");
  auto **results = calling.given.array<omnistore_sink *>(items.size(), "the results");
  std::optional<Calling::Source> none;
  const SinkOptions taking;
  std::vector<std::unique_ptr<Calling::Sink>> made(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    names[i] = calling.given.bytes(items[i].key, "a key");
    requests[i] = calling.writing(items[i].value, items[i].how, none);
    statuses[i] = OMNISTORE_INTERNAL;
    if (!items[i].how.wants_meta) continue;
    made[i] = std::make_unique<Calling::Sink>(calling, taking);
    results[i] = made[i]->raw();
  }
  const bool any = std::any_of(made.begin(), made.end(), [](const auto &each) { return each != nullptr; });
  const omnistore_status status =
      driver_.set_many(self_, calling.raw(), names, static_cast<std::uint32_t>(items.size()), requests,
                       any ? results : nullptr, statuses);
  calling.judge();
  std::vector<CallResult> all(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    judge("set_many", all[i]);
    if (!made[i] || !made[i]->begun()) continue;
    GetResult got;
    got.status = all[i].status;
    made[i]->finish(got, nullptr);
    all[i].meta = got.meta;
  }
  return all;
}

std::vector<CallResult> Store::remove_many(const std::vector<std::string> &keys,
                                           const std::vector<std::string> &etags) {
  if (!driver_.remove_many) throw Skipped("the driver has no remove_many");
  Calling calling(*this, "remove_many", keys.empty() ? "" : keys[0]);
  auto *names = calling.given.array<omnistore_bytes>(keys.size(), "the keys");
  auto *statuses = calling.given.array<omnistore_status>(keys.size(), "the statuses");
  auto **requests = calling.given.array<const omnistore_remove_request *>(keys.size(), "the requests");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    names[i] = calling.given.bytes(keys[i], "a key");
    statuses[i] = OMNISTORE_INTERNAL;
    omnistore_remove_request request{};
    request.size = sizeof request;
    if (i < etags.size() && !etags[i].empty()) {
      request.condition = OMNISTORE_IF_MATCH;
      request.etag = calling.given.bytes(etags[i], "the etag");
    }
    requests[i] = calling.use_structs(request, "a request");
  }
  const omnistore_status status =
      driver_.remove_many(self_, calling.raw(), names, static_cast<std::uint32_t>(keys.size()), requests, statuses);
  calling.judge();
  std::vector<CallResult> all(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    all[i].status = status == OMNISTORE_OK ? statuses[i] : status;
    all[i].message = calling.message(status == OMNISTORE_OK ? static_cast<std::uint32_t>(i) : 0);
    judge("remove_many", all[i]);
  }
  return all;
}

CallResult Store::touch(std::string_view key, std::optional<std::int64_t> expiry, std::optional<std::string> user) {
  if (!driver_.touch) throw Skipped("the driver has no touch");
  Calling calling(*this, "touch", key);
  omnistore_touch_request request{};
  request.size = sizeof request;
  request.flags = calling.flags(0);
  if (expiry) {
    request.flags |= OMNISTORE_TOUCH_EXPIRY;
    request.expiry = *expiry;
  }
  if (user) {
    request.flags |= OMNISTORE_TOUCH_USER;
    request.user = calling.given.bytes(*user, "the user meta");
  }
  CallResult done;
  done.status = driver_.touch(self_, calling.raw(), calling.given.bytes(key, "the key"),
                              calling.use_structs(request, "the request"));
  done.message = calling.message();
  calling.judge();
  judge("touch", done);
  return done;
}

const void *Store::extension(const char *id) {
  if (!driver_.extension) return nullptr;
  progress::say("extension", id);
  return driver_.extension(self_, id);
}

} // namespace omnistore::kit
