// SPDX-License-Identifier: Apache-2.0
// The layer `cache`: copies of an origin's values that age. README.md says what it promises. This file opens the layer,
// reads copies, lists and watches.
#include "cache.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <omnistore/driver.hpp>

#include <omnistore_schema.h>

namespace cache {

using omnistore::Failure;

void Cache::validate(const omnistore::Options &options, std::uint32_t, omnistore::Problems &problems) {
  Settings::check(options, problems);
}

Cache::Cache(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
             std::span<const omnistore_store *const> children, Call call)
    : host_(host), settings_(options), origin_(children[1]), log_(host),
      coherence_(settings_.coherent
                     ? std::make_unique<omnistore::CoherentWatch>(host, origin_, "origin", call, settings_.max_lag)
                     : nullptr),
      copies_(host, settings_, Child(children[0]), coherence_.get(), log_), reports_(origin_),
      fetcher_(host, settings_, origin_, copies_, reports_, coherence_.get(), log_) {
  if (copies_.store().can(OMNISTORE_READS_ONLY))
    throw Failure(OMNISTORE_INVALID, "the first store must hold the copies, but it takes no writes");
  constexpr std::uint64_t of_origin = OMNISTORE_READS_ONLY | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_ETAG |
                                      OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH |
                                      OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META |
                                      OMNISTORE_CAN_META | OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE |
                                      OMNISTORE_CAN_LIST_FOLDERS;
  const omnistore_traits &origin = origin_.traits();
  traits.capabilities = OMNISTORE_SHARED | OMNISTORE_CAN_RANGE | (origin.capabilities & of_origin);
  if (coherence_) traits.capabilities |= origin.capabilities & OMNISTORE_WATCHES_OWN;
  traits.max_key_size = origin.max_key_size;
  traits.max_value_size = origin.max_value_size;
  traits.keeps = origin.keeps;
  traits.order = origin.order;
  traits.min_ttl = origin.min_ttl;
  traits.ttl_grain = origin.ttl_grain;
}

// ------------------------------------------------------------------------------------------------------------ reading

omnistore_status Cache::read(Call call, const ReadRequest &reading) {
  if (coherence_ && !coherence_->is_current()) { // no copy can be trusted, nor one that is stored now
    bypasses_.fetch_add(1, std::memory_order_relaxed);
    return reading.stat ? origin_.stat(call, reading.key, reading.request, reading.sink)
                        : origin_.get(call, reading.key, reading.request, reading.sink);
  }
  const std::uint64_t landings = fetcher_.landings(reading.key);
  CopyResult look = copies_.read(call, reading, Age::stale);
  if (look.done) {
    if (look.age == Age::stale) fetcher_.refresher().submit(reading.key);
    return look.status;
  }
  return reading.stat ? fetcher_.fetch_meta(call, reading, look, landings)
                      : fetcher_.fetch(call, reading, std::move(look), landings);
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
  return marked.after(call, copies_.store().list(call, inner, marked));
}

// ---------------------------------------------------------------------------------------------------------- watching

omnistore_status Cache::watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher,
                              void **watch) {
  *watch = coherence_ ? coherence_->add(as_view(request.base), watcher) : reports_.begin(call, request, watcher);
  return OMNISTORE_OK;
}

void Cache::unwatch(void *watch) { coherence_ ? coherence_->end(watch) : reports_.end(watch); }

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  return traits;
}();

} // namespace cache

OMNISTORE_PLUGIN(omnistore::driver<cache::Cache>("cache", "1.0.0", "Keeps copies of an origin's values, which age",
                                                 OMNISTORE_OPTIONS_SCHEMA, cache::driver_traits, 2, 2))
