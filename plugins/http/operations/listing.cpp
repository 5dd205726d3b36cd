// SPDX-License-Identifier: Apache-2.0
#include "operations/listing.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>
#include <omnistore/value.hpp>

namespace http {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr std::size_t LARGEST = 256 << 20; // of a response
constexpr std::uint32_t LARGEST_PAGE = 100'000;
constexpr std::size_t LONGEST_CURSOR = OMNISTORE_MAX_CURSOR_SIZE;

/// The place at which a page begins. Its cursor is 's' and the server's own cursor, or 'k' and the last key of a
/// listing that the server gives whole; between them stand `strip` and a ':'.
struct Position {
  enum class Kind { start, server, key } kind = Kind::start;
  std::size_t strip = 0; ///< the server's keys begin with so many of the base's segments
  std::string at;
};

[[noreturn]] void refuse_cursor() {
  throw omnistore::Failure(OMNISTORE_INVALID, "the cursor is not one of this driver's listings");
}

Position position_of(std::string_view cursor) {
  if (cursor.empty()) return {};
  Position result;
  result.kind = cursor[0] == 's' ? Position::Kind::server : Position::Kind::key;
  const std::size_t colon = cursor.find(':');
  if ((cursor[0] != 's' && cursor[0] != 'k') || colon == cursor.npos) refuse_cursor();
  const char *const end = cursor.data() + colon;
  const auto [stop, error] = std::from_chars(cursor.data() + 1, end, result.strip);
  if (error != std::errc() || stop != end) refuse_cursor();
  result.at = cursor.substr(colon + 1);
  if (result.at.empty()) refuse_cursor();
  return result;
}

std::string cursor_of(char kind, std::size_t strip, std::string_view at) {
  std::string cursor = kind + std::to_string(strip) + ":" + std::string(at);
  if (cursor.size() > LONGEST_CURSOR)
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, "the listing would continue at a cursor of more than " +
                                                        std::to_string(LONGEST_CURSOR) + " bytes");
  return cursor;
}

/// Returns the prefix that the last `count` segments of the base's path make.
std::string prefix_of(const Base &base, std::size_t count) {
  std::string prefix;
  for (std::size_t i = base.path.size() - count; i < base.path.size(); ++i) (prefix += base.path[i]) += ':';
  return prefix;
}

bool exists(Client &client, omnistore::Call call, std::string_view key) {
  const Request head{"HEAD", "/" + path_of(key)};
  return client.run(call, head, &take_all).good();
}

/// A server names keys from its own root, which may lie above the base: under http://host/x/y a key `a` may be called
/// `a`, `y/a` or `x/y/a`. If all keys begin with y or x/y, that may be such a prefix, or a part of the keys. It is a
/// part of them if the shortest key does not exist without it: if that key existed, it would be listed too, and be
/// shorter.
std::size_t strip_of(Client &client, omnistore::Call call, const std::vector<std::string> &keys,
                     std::string_view base) {
  if (keys.empty()) return 0;
  const auto shortest =
      std::min_element(keys.begin(), keys.end(), [](auto &a, auto &b) { return a.size() < b.size(); });
  for (std::size_t count = client.base().path.size(); count > 0; --count) {
    const std::string prefix = prefix_of(client.base(), count), whole = prefix + std::string(base);
    const bool fits = std::all_of(keys.begin(), keys.end(), [&](auto &key) { return key.starts_with(whole); });
    if (fits && exists(client, call, std::string_view(*shortest).substr(prefix.size()))) return count;
  }
  return 0;
}

struct Found {
  std::vector<std::string> keys;
  std::string cursor;
  std::vector<omnistore::Skip> skipped;
};

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool encoded =
        text[i] == '%' && i + 2 < text.size() && digit_of(text[i + 1]) >= 0 && digit_of(text[i + 2]) >= 0;
    out += encoded ? static_cast<char>(digit_of(text[i + 1]) << 4 | digit_of(text[i + 2])) : text[i];
    if (encoded) i += 2;
  }
  return out;
}

/// Passes on the places that the server left out. Its keys begin with `prefix`.
omnistore_status report_skipped(const Found &found, std::string_view prefix, omnistore_page &page) {
  for (const omnistore::Skip &skip : found.skipped) {
    std::string_view base = skip.base;
    base = base.starts_with(prefix) ? base.substr(prefix.size()) : std::string_view();
    const omnistore_status status = omnistore::skip(page, base, skip.status, skip.message);
    if (status != OMNISTORE_OK) return status;
  }
  return OMNISTORE_OK;
}

bool wants_folders(const omnistore_list_request &request) {
  return request.flags & OMNISTORE_LIST_FOLDERS && request.depth != OMNISTORE_ANY_DEPTH;
}

/// Adds what only an Omnistore host understands. A bound that would come there as another is left out: the names
/// outside are dropped here.
void ask_host(std::string &path, const omnistore_list_request &request) {
  if (request.depth != OMNISTORE_ANY_DEPTH) path += "&depth=" + std::to_string(request.depth);
  if (wants_folders(request)) path += "&folders=true";
  constexpr std::size_t longest_bound = 4096;
  const auto add = [&](const char *name, std::string_view bound) {
    if (bound.empty() || bound.size() > longest_bound || bound.find_first_of("/\\") != bound.npos) return;
    path.append(name).append(escaped(bound));
  };
  add("&start=", as_view(request.start));
  add("&end=", as_view(request.end));
}

/// Returns the keys that the server lists, from its cursor on.
Found fetch(Client &client, omnistore::Call call, const omnistore_list_request &request, bool is_omnistore,
            const Position &from) {
  Request get;
  const std::string path = path_of(as_view(request.base)); // it ends in '/'
  get.path = "/" + path + ":";
  get.headers = {{"Accept", "application/json"}, {"Accept-Encoding", "identity"}};
  if (from.kind != Position::Kind::key) {
    get.path += "?limit=" + std::to_string(std::min(request.limit, LARGEST_PAGE));
    if (is_omnistore) ask_host(get.path, request);
  }
  if (from.kind == Position::Kind::server) get.path += "&cursor=" + escaped(from.at);
  std::string text;
  const Response response = client.run(call, get, [&](const Response &, std::string_view piece) {
    if (text.size() + piece.size() > LARGEST)
      throw omnistore::Failure(OMNISTORE_TOO_LARGE, "the server's listing has more than 256 MiB");
    text += piece;
    return true;
  });
  if (response.gone())
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, client.base().shown + " gives no listing of its keys (404)");
  if (!response.good()) throw client.refused(get, response);
  if (wants_folders(request) && !response.folders)
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, client.base().shown + " is an older host, which lists no folders");
  return {keys_in(text, wants_folders(request)), response.cursor, skipped_in(response.skipped)};
}

omnistore_status emit(std::string_view key, omnistore_page &page) { return page.emit(&page, as_bytes(key), nullptr); }

/// Passes on a page of the server's as one.
omnistore_status emit_page(const Found &found, std::size_t strip, omnistore_page &page) {
  for (const std::string &key : found.keys) {
    if (const auto status = emit(key, page); status != OMNISTORE_OK) return status;
  }
  if (!found.cursor.empty()) {
    const std::string next = cursor_of('s', strip, found.cursor);
    page.next(&page, as_bytes(next));
  }
  return OMNISTORE_OK;
}

/// Cuts a page from all keys.
omnistore_status cut_page(std::vector<std::string> keys, const Position &from, std::size_t strip, std::uint32_t limit,
                          omnistore_page &page) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  auto key = std::upper_bound(keys.begin(), keys.end(), from.at);
  for (; key != keys.end() && limit > 0; ++key, --limit) {
    if (const auto status = emit(*key, page); status != OMNISTORE_OK) return status;
  }
  if (key != keys.end()) {
    const std::string next = cursor_of('k', strip, *std::prev(key));
    page.next(&page, as_bytes(next));
  }
  return OMNISTORE_OK;
}

} // namespace

std::vector<std::string> keys_in(std::string_view json, bool folders) {
  std::vector<std::string> keys;
  try {
    omnistore::sdk::JsonReader reader(json);
    for (reader.enter('['); reader.more(']');) {
      const omnistore::sdk::JsonValue value = reader.value();
      if (value.kind != omnistore::Kind::string) continue;
      std::string key = omnistore::sdk::JsonReader(value.text).string();
      std::replace(key.begin(), key.end(), '/', ':');
      const bool is_folder = folders && key.ends_with(':');
      if (is_key(std::string_view(key).substr(0, key.size() - is_folder))) keys.push_back(std::move(key));
    }
    reader.end();
  } catch (const omnistore::Failure &) {
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED, "the server's response is not a JSON array of keys");
  }
  return keys;
}

std::vector<omnistore::Skip> skipped_in(std::string_view header) {
  std::vector<omnistore::Skip> places;
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    std::string_view item = header.substr(0, comma);
    header.remove_prefix(comma == header.npos ? header.size() : comma + 1);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item.empty()) continue;
    const std::size_t first = item.find(';'), second = first == item.npos ? item.npos : item.find(';', first + 1);
    if (second == item.npos) {
      places.push_back({"", OMNISTORE_IO, percent_decoded(item)});
      continue;
    }
    const std::string_view status = item.substr(first + 1, second - first - 1);
    places.push_back({percent_decoded(item.substr(0, first)),
                      status == "denied"        ? OMNISTORE_DENIED
                      : status == "unavailable" ? OMNISTORE_UNAVAILABLE
                      : status == "timeout"     ? OMNISTORE_TIMEOUT
                      : status == "corrupt"     ? OMNISTORE_CORRUPT
                                                : OMNISTORE_IO,
                      percent_decoded(item.substr(second + 1))});
  }
  return places;
}

omnistore_status list(Client &client, omnistore::Call call, const omnistore_list_request &request, bool is_omnistore,
                      omnistore_page &page) {
  const Position from = position_of(as_view(request.cursor));
  if (from.strip > client.base().path.size()) refuse_cursor();
  Found found = fetch(client, call, request, is_omnistore, from);
  const bool begins = from.kind == Position::Kind::start;
  const std::size_t strip = begins ? strip_of(client, call, found.keys, as_view(request.base)) : from.strip;
  const std::string prefix = prefix_of(client.base(), strip);
  std::vector<std::string> keys;
  for (const std::string &each : found.keys) {
    if (!each.starts_with(prefix)) continue;
    std::string key = each.substr(prefix.size());
    const bool is_folder = wants_folders(request) && key.ends_with(':');
    if ((is_folder || is_key(key)) && omnistore::lists(request, key)) keys.push_back(std::move(key));
  }
  found.keys = std::move(keys);
  if (const omnistore_status status = report_skipped(found, prefix, page); status != OMNISTORE_OK) return status;
  const bool fits = found.keys.size() <= request.limit;
  if (from.kind != Position::Kind::key && (fits || !found.cursor.empty())) {
    if (!fits) throw omnistore::Failure(OMNISTORE_UNSUPPORTED, "the server's page has more keys than were requested");
    return emit_page(found, strip, page);
  }
  return cut_page(std::move(found.keys), from, strip, request.limit, page);
}

} // namespace http
