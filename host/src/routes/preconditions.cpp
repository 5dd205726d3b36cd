// SPDX-License-Identifier: Apache-2.0
#include "routes/preconditions.hpp"

#include <algorithm>
#include <string>

#include "base/clock.hpp"
#include "http/reply.hpp"
#include "routes/value_reader.hpp"

namespace omnistore::routes {

namespace {

std::optional<http::EtagList> etags(const Request &request, Header name, const char *shown) {
  if (!request.has(name)) return std::nullopt;
  std::optional<http::EtagList> list = http::parse_etags(request[name]);
  if (!list) throw Error(Status::invalid, std::string(shown) + ": expected * or quoted etags such as \"abc\"");
  return list;
}

bool reads(const Request &request) {
  return request.message.method == Method::get || request.message.method == Method::head;
}

/// The second in which the value was last changed, as Last-Modified shows it.
std::int64_t second_of(const Meta &meta) { return meta.mtime / 1000 - (meta.mtime % 1000 < 0 ? 1 : 0); }

/// Returns true if the second is over. Until then another change may get the same date, so a date is no proof that a
/// value is the same (RFC 9110 section 8.8.2.2).
bool is_over(std::int64_t second) { return now_ms() / 1000 > second; }

/// Returns true if the value was surely not changed after the date.
bool unchanged_since(const Meta &meta, std::int64_t date) {
  const std::int64_t changed = second_of(meta);
  return changed < date || (changed == date && is_over(changed));
}

} // namespace

Preconditions::Preconditions(const Request &request)
    : match(etags(request, Header::if_match, "If-Match")),
      none_match(etags(request, Header::if_none_match, "If-None-Match")) {
  if (!match && request.has(Header::if_unmodified_since)) {
    unmodified_since = http::parse_date(request[Header::if_unmodified_since]);
    if (!unmodified_since)
      throw Error(Status::invalid, "If-Unmodified-Since: expected a date such as Sun, 06 Nov 1994 08:49:37 GMT");
  }
  if (!none_match && reads(request) && request.has(Header::if_modified_since))
    modified_since = http::parse_date(request[Header::if_modified_since]);
}

Preconditions::Outcome Preconditions::judge(const std::optional<Meta> &now, bool read) const {
  if (match && !(now && match->names(now->etag, true))) return Outcome::failed;
  if (unmodified_since) {
    if (now && now->mtime == 0)
      throw Error(Status::unsupported, "The store of this key keeps no dates, so If-Unmodified-Since cannot be kept");
    if (!now || !unchanged_since(*now, *unmodified_since)) return Outcome::failed;
  }
  if (none_match && now && none_match->names(now->etag, false)) return read ? Outcome::unchanged : Outcome::failed;
  if (read && modified_since && now && now->mtime != 0 && unchanged_since(*now, *modified_since))
    return Outcome::unchanged;
  return Outcome::hold;
}

bool respond_if_not_met(const Request &request, Response &response, const Meta &now) {
  const Preconditions asked(request);
  if (!asked.any()) return false;
  switch (asked.judge(now, true)) {
  case Preconditions::Outcome::hold:
    return false;
  case Preconditions::Outcome::failed:
    condition_failed(request, response);
    return true;
  case Preconditions::Outcome::unchanged:
    begin_value_head(request, response, 304, now);
    end_bare_head(request, response);
    return true;
  }
  return false;
}

WriteCondition write_condition(const Storage &storage, const Request &request) {
  using Kind = Condition::Kind;
  const Preconditions asked(request);
  if (!asked.any()) return {};
  if (!asked.none_match && !asked.unmodified_since) {
    if (asked.match->any) return {false, false, {Kind::if_present, {}}};
    if (asked.match->tags.size() == 1 && asked.match->weak.empty())
      return {false, false, {Kind::if_match, std::string(asked.match->tags.front())}};
  } else if (!asked.match && !asked.unmodified_since && asked.none_match->any) {
    return {false, false, {Kind::if_absent, {}}};
  }
  const std::optional<Meta> now = storage.meta(request.key, request.limited(MetaOptions{.user = false}));
  if (asked.judge(now, false) != Preconditions::Outcome::hold) return {true, false, {}};
  if (!now) return {false, true, {Kind::if_absent, {}}};
  if (now->etag.empty())
    throw Error(Status::unsupported, "The store of this key gives no etags, so this condition cannot be kept");
  return {false, true, {Kind::if_match, now->etag}};
}

std::optional<http::ByteRange> settled_range(http::ByteRange range, const Request &request, const Meta &meta) {
  if (request.has(Header::if_range)) {
    const std::string_view text = request[Header::if_range];
    bool is_same = false;
    if (const std::optional<http::EtagList> tags = http::parse_etags(text))
      is_same = tags->tags.size() == 1 && tags->weak.empty() && tags->names(meta.etag, true);
    else if (const std::optional<std::int64_t> date = http::parse_date(text))
      is_same = meta.mtime != 0 && *date == second_of(meta) && is_over(*date);
    if (!is_same) return std::nullopt;
  }
  if (!range.suffix) return range;
  if (meta.size == UINT64_MAX || (meta.size == 0 && range.last > 0)) return std::nullopt;
  return http::ByteRange{false, meta.size - std::min(range.last, meta.size), UINT64_MAX};
}

bool admit_conditions(const Request &request, Response &response, bool write) {
  const auto refused = [&](unsigned status, std::string_view message) {
    reply_error(request, response, status, message);
    return false;
  };
  try {
    const Preconditions asked(request);
    if (!asked.any()) return true;
    if (asked.match && !asked.match->any) return refused(412, "If-Match does not hold: there is no etag here");
    if (asked.match) return refused(501, "There is no etag here, so If-Match cannot be kept");
    if (asked.unmodified_since)
      return refused(501, "There is no date of a change here, so If-Unmodified-Since cannot be kept");
    // A value without an etag matches no list, so the RFC lets a read proceed.
    if (asked.none_match && (write || asked.none_match->any))
      return refused(501, "There is no etag here, so If-None-Match cannot be kept");
    return true;
  } catch (const Error &error) {
    return refused(http::http_status(error.status()), error.what());
  }
}

void condition_failed(const Request &request, Response &response) {
  reply_error(request, response, 412, "The condition did not hold; nothing was changed");
}

} // namespace omnistore::routes
