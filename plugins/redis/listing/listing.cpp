// SPDX-License-Identifier: Apache-2.0
#include "listing/listing.hpp"

#include <charconv>
#include <random>

namespace redis {
namespace {

using omnistore::as_bytes, omnistore::as_view;

/// The bytes of keys that one listing stores between its pages.
constexpr std::size_t window_budget = 16 << 20;
/// The most listings that store keys.
constexpr std::size_t max_paused = 4;
/// How long they are stored while no page is requested.
constexpr milliseconds keep_paused_for{30'000};
constexpr std::size_t longest_cursor = OMNISTORE_MAX_CURSOR_SIZE;
/// The keys of one EXISTS.
constexpr std::size_t keys_at_once = 1000;

// A cursor is ":", the listing's number as 16 hexadecimal digits, ":" and the last key. If that would be too long, it
// is the last key alone. No key starts with a ':'.
constexpr std::size_t head_size = 18;

std::string cursor_of(std::uint64_t run, std::string_view last) {
  if (head_size + last.size() > longest_cursor) return std::string(last);
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, run, 16).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  return ":" + std::string(16 - count, '0') + std::string(digits, count) + ":" + std::string(last);
}

} // namespace

Listings::Listings(const omnistore_host &host, Servers &servers, const Layout &layout, std::uint32_t scan_count)
    : host_(host), servers_(servers), layout_(layout), scan_count_(scan_count) {
  // The numbers start at random, so that a cursor of another process does not match.
  std::random_device random;
  next_id_ = std::uint64_t{random()} << 32 | random();
}

omnistore_status Listings::list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
  const Position from = position(request);
  PausedListing run = resume(call, from, as_view(request.base));
  const auto &keys = run.window->keys;
  auto at = std::upper_bound(keys.begin(), keys.end(), from.last);
  std::vector<std::string_view> chosen;
  for (; at != keys.end() && chosen.size() < request.limit; ++at) {
    if (omnistore::lists(request, *at)) chosen.push_back(*at);
  }
  const bool more = at != keys.end() || !run.window->complete;
  if (const omnistore_status status = emit(call, request, chosen, page); status != OMNISTORE_OK) return status;
  if (!more) return forget(run.id), OMNISTORE_OK;
  const std::string next = cursor_of(run.id, *std::prev(at));
  if (at != keys.end())
    keep(std::move(run));
  else
    forget(run.id);
  page.next(&page, as_bytes(next));
  return OMNISTORE_OK;
}

Listings::Position Listings::position(const omnistore_list_request &request) {
  Position result;
  result.last = as_view(request.cursor);
  if (result.last.empty()) return result;
  if (result.last.starts_with(':') && result.last.size() > head_size && result.last[head_size - 1] == ':') {
    const char *first = result.last.data() + 1, *end = first + 16;
    if (const auto [stop, error] = std::from_chars(first, end, result.run, 16); error == std::errc() && stop == end)
      result.last.remove_prefix(head_size);
  }
  if (!is_key(result.last) || !result.last.starts_with(as_view(request.base)))
    throw omnistore::Failure(OMNISTORE_INVALID, "the cursor does not belong to this listing");
  return result;
}

Listings::PausedListing Listings::resume(omnistore::Call call, const Position &from, std::string_view base) {
  if (!from.last.empty()) {
    const std::lock_guard guard(mutex_);
    for (const PausedListing &run : paused_) {
      if (run.id == from.run && run.base == base) return run;
    }
  }
  Collector collector(from.last, window_budget);
  scan(call, layout_.pattern(base), [&](std::span<const std::string_view> names) {
    for (const std::string_view name : names)
      if (const auto key = layout_.value_key_of(name); key && key->starts_with(base)) collector.add(*key);
  });
  PausedListing run;
  run.base = base;
  run.window = std::make_shared<const Window>(collector.finish());
  const std::lock_guard guard(mutex_);
  run.id = next_id_++;
  return run;
}

// ----------------------------------------------------------------------------------------------- paused listings

void Listings::keep(PausedListing run) {
  prune();
  const std::lock_guard guard(mutex_);
  run.used = Clock::now();
  std::erase_if(paused_, [&](const PausedListing &other) { return other.id == run.id; });
  if (paused_.size() >= max_paused)
    paused_.erase(std::min_element(paused_.begin(), paused_.end(), [](auto &a, auto &b) { return a.used < b.used; }));
  paused_.push_back(std::move(run));
  if (!prunes_) prunes_ = host_.submit(&host_, &prune_later, this, keep_paused_for.count(), 0) == OMNISTORE_OK;
}

void Listings::forget(std::uint64_t id) {
  const std::lock_guard guard(mutex_);
  std::erase_if(paused_, [&](const PausedListing &run) { return run.id == id; });
}

void Listings::prune() {
  const auto old = Clock::now() - keep_paused_for;
  const std::lock_guard guard(mutex_);
  std::erase_if(paused_, [&](const PausedListing &run) { return run.used <= old; });
}

void Listings::prune_later(void *self, omnistore_call *) {
  auto &listings = *static_cast<Listings *>(self);
  listings.prune();
  const std::lock_guard guard(listings.mutex_);
  listings.prunes_ = !listings.paused_.empty() && listings.host_.submit(&listings.host_, &prune_later, self,
                                                                        keep_paused_for.count(), 0) == OMNISTORE_OK;
}

// ------------------------------------------------------------------------------------------------------------ a page

/// Returns which of the keys still exist.
std::vector<std::uint8_t> Listings::which_exist(omnistore::Call call, std::span<const std::string_view> keys) {
  std::vector<std::uint8_t> alive(keys.size(), 1);
  Commands commands;
  if (layout_.is_cluster()) { // each key has a slot of its own
    for (const std::string_view key : keys) {
      commands.route(layout_.slot(key));
      commands.add("EXISTS", layout_.value(key));
    }
    const Replies replies = servers_.run(call, commands, OnBroken::resend);
    for (std::size_t i = 0; i < keys.size(); ++i) alive[i] = integer_of(*replies[i]) != 0;
    return alive;
  }
  for (std::size_t from = 0; from < keys.size(); from += keys_at_once) {
    const auto some = keys.subspan(from, std::min(keys_at_once, keys.size() - from));
    commands.begin(1 + some.size());
    commands.word("EXISTS");
    for (const std::string_view key : some) commands.word(layout_.value(key));
  }
  const Replies counts = servers_.run(call, commands, OnBroken::resend);
  Commands single;
  std::vector<std::size_t> queried;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::size_t piece = i / keys_at_once, size = std::min(keys_at_once, keys.size() - piece * keys_at_once);
    if (integer_of(*counts[piece]) == static_cast<long long>(size)) continue;
    single.add("EXISTS", layout_.value(keys[i]));
    queried.push_back(i);
  }
  if (queried.empty()) return alive;
  const Replies replies = servers_.run(call, single, OnBroken::resend);
  for (std::size_t i = 0; i < queried.size(); ++i) alive[queried[i]] = integer_of(*replies[i]) != 0;
  return alive;
}

omnistore_status Listings::emit(omnistore::Call call, const omnistore_list_request &request,
                                std::span<const std::string_view> keys, omnistore_page &page) {
  if (keys.empty()) return OMNISTORE_OK;
  if (request.flags & OMNISTORE_LIST_META) return emit_with_meta(call, keys, page);
  const auto alive = which_exist(call, keys);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!alive[i]) continue;
    if (const omnistore_status status = page.emit(&page, as_bytes(keys[i]), nullptr); status != OMNISTORE_OK)
      return status;
  }
  return OMNISTORE_OK;
}

omnistore_status Listings::emit_with_meta(omnistore::Call call, std::span<const std::string_view> keys,
                                          omnistore_page &page) {
  for (std::size_t from = 0; from < keys.size(); from += keys_at_once) {
    const auto some = keys.subspan(from, std::min(keys_at_once, keys.size() - from));
    Commands commands;
    for (const std::string_view key : some) {
      const KeyParts full = layout_.value(key);
      if (layout_.is_cluster()) commands.route(layout_.slot(key));
      commands.add("STRLEN", full).add("PEXPIRETIME", full);
    }
    const Replies replies = servers_.run(call, commands, OnBroken::resend);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const redisReply &size = *replies[2 * i];
      const long long expiry = integer_of(*replies[2 * i + 1]);
      const bool other_type = is_error(size) && failure_of(size).status() == OMNISTORE_CORRUPT;
      if (expiry == -2 || other_type) continue; // it was removed, or has another type now
      const omnistore_meta meta =
          omnistore::make_meta(static_cast<std::uint64_t>(integer_of(size)), 0, std::max(expiry, 0LL));
      if (const omnistore_status status = page.emit(&page, as_bytes(some[i]), &meta); status != OMNISTORE_OK)
        return status;
    }
  }
  return OMNISTORE_OK;
}

} // namespace redis
