// SPDX-License-Identifier: Apache-2.0
// The layer `cache`: copies of an origin's values that age. README.md says what it promises. This file opens the layer,
// reads copies and lists.
#include "cache.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <omnistore/driver.hpp>

#include <omnistore_schema.h>

namespace cache {

using omnistore::Failure;

namespace {

constexpr std::int64_t longest_span = 366ll * 24 * 3600 * 1000;

std::int64_t span_of(const omnistore::Options &options, const char *name, std::int64_t otherwise) {
  const std::int64_t span = options.integer(name, otherwise);
  if (span <= longest_span) return span;
  throw Failure(OMNISTORE_INVALID, std::string("option ") + name + ": at most 366d; nothing is kept for ever");
}

} // namespace

Settings::Settings(const omnistore::Options &options)
    : max_age(span_of(options, "maxAge", 60'000)), max_stale(span_of(options, "maxStale", 86'400'000)),
      stale_if_error(span_of(options, "staleIfError", 86'400'000)),
      negative_max_age(span_of(options, "negativeMaxAge", 0)), revalidate(options.boolean("revalidate", true)),
      head_only(options.boolean("headOnly", false)), retry(static_cast<unsigned>(options.integer("retry", 0))),
      refreshes(static_cast<std::size_t>(options.integer("refreshes", 4))),
      largest(static_cast<std::uint64_t>(options.integer("maxValueSize", 64 << 20))) {}

void Cache::validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
  for (const char *name : {"maxAge", "maxStale", "staleIfError", "negativeMaxAge"})
    problems.check([&] { span_of(options, name, 0); });
}

Cache::Cache(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
             std::span<const omnistore_store *const> children)
    : host_(host), settings_(options), copies_(children[0]), origin_(children[1]),
      revalidates_(static_cast<const omnistore_revalidate *>(
          children[1]->driver->extension(children[1]->self, OMNISTORE_REVALIDATE))),
      keeps_(copies_.can(OMNISTORE_NEVER_BLOCKS)), records_(copies_),
      workers_(settings_.refreshes, [this](Call call, const std::string &key) { refresh(call, key); }) {
  if (copies_.can(OMNISTORE_READS_ONLY))
    throw Failure(OMNISTORE_INVALID, "the first store must hold the copies, but it takes no writes");
  constexpr std::uint64_t of_origin = OMNISTORE_READS_ONLY | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                                      OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH |
                                      OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META |
                                      OMNISTORE_CAN_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE |
                                      OMNISTORE_CAN_LIST_FOLDERS;
  const omnistore_traits &origin = origin_.traits();
  traits.capabilities = OMNISTORE_SHARED | OMNISTORE_CAN_RANGE | (origin.capabilities & of_origin);
  traits.max_key_size = origin.max_key_size;
  traits.max_value_size = origin.max_value_size;
  traits.keeps = origin.keeps;
  traits.order = origin.order;
  traits.min_ttl = origin.min_ttl;
  traits.ttl_grain = origin.ttl_grain;
}

// ------------------------------------------------------------------------------------------------------------ reading

Age Cache::age_of(const Record &record, std::int64_t now) const {
  if (record.expiry != 0 && record.expiry <= now) return Age::over;
  const std::int64_t age = now - record.checked;
  if (age >= 0 && age <= settings_.max_age && !record.doubtful) return Age::fresh;
  const std::int64_t behind =
      std::max<std::int64_t>(age - settings_.max_age, 0); // an age in the future counts as stale
  if (settings_.revalidate && behind <= settings_.max_stale && !record.doubtful) return Age::stale;
  return behind <= settings_.stale_if_error ? Age::old : Age::over;
}

Age Cache::judge(void *judging, const omnistore_meta &copy, Record &record) {
  const AgeQuery &self = *static_cast<const AgeQuery *>(judging);
  std::optional<Record> known = self.cache->records_.known(self.key);
  if (!known || known->absent || known->of != state_of(copy)) return Age::unknown;
  record = std::move(*known);
  return self.cache->age_of(record, self.now);
}

/// Serves the reader from the copy, if it is no older than `oldest`.
Cache::CopyResult Cache::from_copy(Call call, const ReadRequest &reading, Age oldest) {
  if (!records_.is_settled()) {
    CapturingCall on(call);
    if (!records_.settle_clears(on)) return warn("looking for a clear that was cut off: " + on.reason()), CopyResult();
  }
  omnistore_get_request request = reading.request;
  request.flags |= OMNISTORE_GET_META; // the state of the copy is made of its meta
  for (bool again = false;; again = true) {
    AgeQuery judging{this, reading.key, now()};
    CopyFilter gate(reading.sink, reading.request, keeps_, oldest, &Cache::judge, &judging);
    if (reading.asks_user_alone()) gate.need_user();
    CapturingCall on(call);
    omnistore_status status =
        reading.stat ? copies_.stat(on, reading.key, request, gate) : copies_.get(on, reading.key, request, gate);
    if (status == OMNISTORE_OK && !gate.held_back()) return {true, gate.finish(), gate.age(), gate.record()};
    if (gate.begun()) return {true, call.fail(status, on.reason()), gate.age(), gate.record()};
    if (gate.held_back() && gate.age() != Age::unknown) return {false, status, gate.age(), gate.record()};
    if (gate.held_back()) {
      // Try once more with the record beside the copy: the one in memory is missing or outdated.
      if (!again && records_.read_again(on, reading.key)) continue;
      return {false, status, Age::unknown, {}};
    }
    if (status == OMNISTORE_NOT_FOUND && settings_.negative_max_age != 0) {
      const std::optional<Record> record = records_.find(on, reading.key);
      const std::int64_t age = record ? judging.now - record->checked : -1;
      if (record && record->absent && !record->doubtful && age >= 0 && age <= settings_.negative_max_age)
        return {true, OMNISTORE_NOT_FOUND, Age::fresh, *record};
    }
    if (is_failure(status) && status != OMNISTORE_TOO_LARGE) warn("reading copies: " + on.reason());
    return {};
  }
}

omnistore_status Cache::read(Call call, const ReadRequest &reading) {
  const std::uint64_t landings = flights_.landings();
  CopyResult look = from_copy(call, reading, Age::stale);
  if (look.done) {
    if (look.age == Age::stale) refresh_later(reading.key);
    return look.status;
  }
  return reading.stat ? fetch_meta(call, reading, look) : fetch(call, reading, std::move(look), landings);
}

omnistore_status Cache::get(Call call, std::string_view key, const omnistore_get_request &request,
                            omnistore_sink &sink) {
  if (is_reserved(key)) return origin_.get(call, key, request, sink);
  return read(call, {key, request, sink, false});
}

omnistore_status Cache::stat(Call call, std::string_view key, const omnistore_get_request &request,
                             omnistore_sink &sink) {
  if (is_reserved(key)) return origin_.stat(call, key, request, sink);
  return read(call, {key, request, sink, true});
}

/// Called after the origin failed: serves an old copy, or returns the failure.
omnistore_status Cache::from_copy_or(Call call, const ReadRequest &reading, omnistore_status failure,
                                     const CapturingCall &failed) {
  if (is_failure(failure))
    if (const CopyResult look = from_copy(call, reading, Age::old); look.done && look.status != OMNISTORE_NOT_FOUND)
      return look.status;
  std::string message = failed.reason();
  if (is_failure(failure)) message = "the origin (" + std::string(origin_.name()) + "): " + message;
  return call.fail(failure, message, failed.details());
}

// --------------------------------------------------------------------------------------------------------- listing

namespace {

/// Puts a mark before a page's cursor that says whose cursor it is, and leaves records out.
class MarkedPage : public omnistore_page {
public:
  MarkedPage(omnistore_page &outer, char mark)
      : omnistore_page{sizeof(omnistore_page), 0, emit_, next_, skip_}, outer_(outer), mark_(mark) {}

private:
  static omnistore_status OMNISTORE_CALL emit_(omnistore_page *page, omnistore_bytes key,
                                               const omnistore_meta *meta) noexcept {
    auto &self = *static_cast<MarkedPage *>(page);
    if (self.mark_ == of_copies && is_reserved(as_view(key))) return OMNISTORE_OK;
    return self.outer_.emit(&self.outer_, key, meta);
  }
  static void OMNISTORE_CALL next_(omnistore_page *page, omnistore_bytes cursor) noexcept {
    auto &self = *static_cast<MarkedPage *>(page);
    std::array<char, longest_cursor> marked;
    self.too_long_ = cursor.size >= marked.size();
    if (self.too_long_) return;
    marked[0] = self.mark_;
    std::memcpy(marked.data() + 1, cursor.data, cursor.size);
    self.outer_.next(&self.outer_, {marked.data(), cursor.size + 1});
  }
  static omnistore_status OMNISTORE_CALL skip_(omnistore_page *page, omnistore_bytes base, omnistore_status status,
                                               omnistore_bytes message) noexcept {
    auto &self = *static_cast<MarkedPage *>(page);
    if (self.mark_ == of_copies && is_reserved(as_view(base))) return OMNISTORE_OK;
    return omnistore::skip(self.outer_, as_view(base), status, as_view(message));
  }
  static constexpr std::size_t longest_cursor = OMNISTORE_MAX_CURSOR_SIZE;
  omnistore_page &outer_;
  const char mark_;
  bool too_long_ = false;

public:
  static constexpr char of_copies = 'c', of_origin = 'o';
  /// Returns the status, unless the store's cursor leaves no room for the mark.
  omnistore_status after(Call call, omnistore_status status) const {
    if (status != OMNISTORE_OK || !too_long_) return status;
    return call.fail(OMNISTORE_TOO_LARGE, "a listing cannot continue at so long a cursor; use another limit");
  }
};

} // namespace

/// Lists the origin's keys. If the origin cannot list, lists the keys that have copies.
omnistore_status Cache::list(Call call, const omnistore_list_request &request, omnistore_page &page) {
  omnistore_list_request inner = request;
  const std::string_view cursor = as_view(request.cursor);
  if (!cursor.empty()) {
    if (cursor[0] != MarkedPage::of_copies && cursor[0] != MarkedPage::of_origin)
      return call.fail(OMNISTORE_INVALID, "the cursor is not one of this store");
    inner.cursor = as_bytes(cursor.substr(1));
  }
  if (cursor.empty() || cursor[0] == MarkedPage::of_origin) {
    MarkedPage marked(page, MarkedPage::of_origin);
    CapturingCall on(call);
    const omnistore_status status = origin_.list(on, inner, marked);
    if (status == OMNISTORE_OK) return marked.after(call, status);
    if (status != OMNISTORE_UNSUPPORTED || !cursor.empty()) return call.fail(status, on.reason());
  }
  MarkedPage marked(page, MarkedPage::of_copies);
  return marked.after(call, copies_.list(call, inner, marked));
}

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  return traits;
}();

} // namespace cache

OMNISTORE_PLUGIN(omnistore::driver<cache::Cache>("cache", "1.0.0", "Keeps copies of an origin's values, which age",
                                                 OMNISTORE_OPTIONS_SCHEMA, cache::driver_traits, 2, 2))
