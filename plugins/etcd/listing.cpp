// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>

#include <omnistore/listing.hpp>

#include "json.hpp"
#include "operations.hpp"
#include "transport/base.hpp"

namespace etcd {
namespace {

using omnistore::as_bytes, omnistore::as_view;

constexpr std::size_t MOST_KEYS = 10'000; ///< of one response
constexpr std::size_t FEWEST_KEYS = 256;  ///< of one response, if folders are skipped among them

struct Bounds {
  std::string first, end; ///< as etcd has them, with the prefix
};

Bounds bounds_in(const std::string &prefix, std::string_view from, std::string_view to) {
  Bounds bounds{prefix + std::string(from), to.empty() ? end_of(prefix) : prefix + std::string(to)};
  if (bounds.first.empty()) bounds.first = std::string(1, '\0');
  return bounds;
}

std::string range_of(const Bounds &bounds, std::size_t limit, bool reverse) {
  return R"({"key":)" + quoted(bounds.first) + R"(,"range_end":)" + quoted(bounds.end) +
         R"(,"keys_only":true,"limit":")" + std::to_string(limit) + '"' +
         (reverse ? R"(,"sort_order":"DESCEND","sort_target":"KEY")" : "") + "}";
}

struct Name {
  std::string key;
  bool has_lease;
  bool is_live = true;
};

struct Names {
  std::vector<Name> names;
  bool more = false;
};

Names names_in(const Json &range_response, std::size_t prefix_size) {
  Names found;
  for (const Json &each : range_response["kvs"].items)
    found.names.push_back({each["key"].bytes().substr(prefix_size), each["lease"].number() != 0});
  found.more = range_response["more"].is_true();
  return found;
}

/// Looks up in etcd which of the values with a lease have expired already: their records say so, and stay there.
void mark_expired(omnistore::Call call, Cluster &cluster, const std::string &prefix, std::int64_t now, Names &found) {
  std::vector<Name *> asked;
  std::vector<std::string> operations;
  const auto ask = [&] {
    const std::string text = cluster.post(call, "/v3/kv/txn", transaction(operations), Kind::read);
    const Json whole = parse(text);
    const std::vector<Json> &responses = whole["responses"].items;
    for (std::size_t i = 0; i < asked.size() && i < responses.size(); ++i)
      asked[i]->is_live = !responses[i]["response_txn"]["succeeded"].is_true();
    asked.clear(), operations.clear();
  };
  for (Name &each : found.names) {
    if (!each.has_lease) continue;
    asked.push_back(&each);
    operations.push_back(check_expired(prefix + each.key, now));
    if (operations.size() == MOST_OPERATIONS) ask();
  }
  if (!operations.empty()) ask();
}

} // namespace

omnistore_status list(omnistore::Call call, Cluster &cluster, const std::string &prefix, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page) {
  const std::string_view cursor = as_view(request.cursor);
  if (!cursor.empty() && !cursor.starts_with(as_view(request.base)))
    return call.fail(OMNISTORE_INVALID, "the cursor is none of this listing");
  const bool reverse = request.flags & OMNISTORE_LIST_REVERSE, folders = request.flags & OMNISTORE_LIST_FOLDERS;
  omnistore::KeyBounds bounds(request, cursor);
  std::string last, passed; // the name emitted last, and the folder seen last
  std::uint32_t emitted = 0;
  const auto emit = [&](std::string_view name) {
    if (emitted == request.limit) {
      page.next(&page, as_bytes(last));
      return false;
    }
    ++emitted;
    last = name;
    return true;
  };
  for (bool more = true; more && !bounds.empty();) {
    std::size_t limit = std::min<std::size_t>(request.limit - emitted + std::size_t{1}, MOST_KEYS);
    if (request.depth != OMNISTORE_ANY_DEPTH) limit = std::max(limit, FEWEST_KEYS);
    const std::string text = cluster.post(
        call, "/v3/kv/range", range_of(bounds_in(prefix, bounds.from, bounds.to), limit, reverse), Kind::read);
    Names found = names_in(parse(text), prefix.size());
    mark_expired(call, cluster, prefix, now, found);
    for (const Name &each : found.names) {
      if (!http::is_key(each.key) || !each.is_live) continue;
      const std::string_view folder = omnistore::folder_of(request, each.key);
      if (!folder.empty() && (!folders || folder == passed)) continue;
      const std::string_view name = folder.empty() ? std::string_view(each.key) : folder;
      passed = folder;
      if (!omnistore::in_range(request, name)) continue;
      if (!emit(name)) return OMNISTORE_OK;
      if (const omnistore_status status = page.emit(&page, as_bytes(name), nullptr); status != OMNISTORE_OK)
        return status;
    }
    more = found.more && !found.names.empty();
    if (!more) break;
    const std::string &end = found.names.back().key;
    const std::string_view folder = omnistore::folder_of(request, end);
    if (reverse)
      bounds.to = folder.empty() ? end : std::string(folder);
    else
      bounds.from = omnistore::after(folder.empty() ? std::string_view(end) : folder);
  }
  return OMNISTORE_OK;
}

omnistore_status clear(omnistore::Call call, Cluster &cluster, const std::string &prefix, std::string_view base,
                       omnistore_page *removed) {
  Bounds bounds = bounds_in(prefix, base, base.empty() ? std::string() : omnistore::after(base));
  const auto delete_range = [](const Bounds &in) {
    return R"({"key":)" + quoted(in.first) + R"(,"range_end":)" + quoted(in.end) + "}";
  };
  if (!removed) {
    cluster.post(call, "/v3/kv/deleterange", delete_range(bounds), Kind::write);
    return OMNISTORE_OK;
  }
  for (bool more = true, first = true; more; first = false) {
    const auto step = [&] {
      // The keys may change between the two requests, so the second one reads again what it removes.
      const std::string head = cluster.post(call, "/v3/kv/range", range_of(bounds, MOST_KEYS, false), Kind::read);
      const Names part = names_in(parse(head), 0);
      more = part.more && !part.names.empty();
      Bounds piece = bounds;
      if (more) piece.end = bounds.first = part.names.back().key + '\0';
      const std::string body = transaction({R"({"request_range":)" + range_of(piece, 0, false) + "}",
                                            R"({"request_delete_range":)" + delete_range(piece) + "}"});
      const std::string text = cluster.post(call, "/v3/kv/txn", body, Kind::write);
      const Json whole = parse(text);
      const std::vector<Json> &responses = whole["responses"].items;
      return responses.empty() ? Names() : names_in(responses[0]["response_range"], prefix.size());
    };
    const Names gone = first ? step() : omnistore::partly_done(step);
    for (const Name &each : gone.names) {
      if (!http::is_key(each.key)) continue;
      if (const omnistore_status status = removed->emit(removed, as_bytes(each.key), nullptr); status != OMNISTORE_OK)
        return status;
    }
  }
  return OMNISTORE_OK;
}

} // namespace etcd
