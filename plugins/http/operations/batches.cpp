// SPDX-License-Identifier: Apache-2.0
#include "operations/batches.hpp"

#include <algorithm>
#include <charconv>

#include <omnistore/child.hpp>

#include "transport/base64.hpp"
#include "transport/etag.hpp"

namespace http {
namespace {

using omnistore::as_bytes, omnistore::as_view;
using omnistore::sdk::JsonReader, omnistore::sdk::JsonValue;

constexpr std::size_t MOST_ITEMS = 1000;
constexpr std::size_t LARGEST_BODY = 4 << 20;  // of a request
constexpr std::size_t LARGEST_VALUE = 1 << 20; // a longer one is sent alone, without base64
constexpr std::size_t LARGEST_RESPONSE = 256 << 20;

template <class Number>
Number number_in(const JsonValue &value) {
  Number number{};
  if (value.kind == omnistore::Kind::number)
    std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  return number;
}

std::string string_in(const JsonValue &value) {
  return value.kind == omnistore::Kind::string ? JsonReader(value.text).string() : std::string();
}

/// Returns the etag in the form that it has in a meta when it comes in a header.
std::string etag_in(const JsonValue &value) {
  return value.kind == omnistore::Kind::string ? etag_of("\"" + string_in(value) + "\"") : std::string();
}

template <class Take>
void for_each_member(std::string_view object, Take take) {
  JsonReader reader(object);
  for (reader.enter('{'); reader.more('}');) {
    const std::string name = reader.name();
    take(name, reader.value());
  }
}

BatchItem item_in(std::string_view json) {
  BatchItem item;
  for_each_member(json, [&](const std::string &name, const JsonValue &value) {
    if (name == "status") item.status = number_in<int>(value);
    if (name == "message") item.message = string_in(value);
    if (name == "value") item.value = string_in(value);
    if (name == "base64") item.value = from_base64(string_in(value)).value_or("");
    if (name == "etag") item.etag = etag_in(value);
    if (name == "found") item.found = value.text != "false";
    if (name != "meta") return;
    for_each_member(value.text, [&](const std::string &field, const JsonValue &known) {
      if (field == "size" && known.kind == omnistore::Kind::number) item.size = number_in<std::uint64_t>(known);
      if (field == "mtime") item.mtime = number_in<std::int64_t>(known);
      if (field == "expiry") item.expiry = number_in<std::int64_t>(known);
      if (field == "etag") item.etag = etag_in(known);
    });
  });
  return item;
}

} // namespace

std::vector<BatchItem> batch_items_in(std::string_view json, std::string_view name) {
  std::vector<BatchItem> items;
  try {
    for_each_member(json, [&](const std::string &list, const JsonValue &value) {
      if (list != name) return;
      JsonReader reader(value.text);
      for (reader.enter('['); reader.more(']');) items.push_back(item_in(reader.value().text));
    });
  } catch (const omnistore::Failure &) {
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server's response is not that to a batch");
  }
  return items;
}

void append_json(std::string &out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      const unsigned code = static_cast<unsigned char>(c);
      ((out += "\\u00") += "0123456789abcdef"[code >> 4]) += "0123456789abcdef"[code & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::vector<BatchItem> Batches::post(omnistore::Call call, const Request &request, const char *name,
                                     std::size_t count) {
  std::string text;
  const Response response = client_.run(call, request, [&](const Response &, std::string_view piece) {
    if (text.size() + piece.size() > LARGEST_RESPONSE)
      throw omnistore::Failure(OMNISTORE_TOO_LARGE, "the server's response has more than 256 MiB");
    text += piece;
    return true;
  });
  const bool has_none = response.status == 404 || response.status == 405 || response.status == 501;
  if (has_none) enabled_ = false;
  if (has_none || response.status == 413) return {}; // they go alone
  if (!response.good()) throw client_.refused(request, response);
  std::vector<BatchItem> items = batch_items_in(text, name);
  if (items.size() != count)
    throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "the server's response to a batch lacks items");
  return items;
}

/// Goes through a batch in its order, since the last of two sets of one key wins: neighbours that fit go together, the
/// others alone. `kind` knows what differs between the four batches:
///   kind.name                   the name of the list in the request and the response
///   kind.add(i, body)           adds item i to the body; returns false if it must go alone
///   kind.alone(call, i)         does item i alone
///   kind.take(i, item)          takes the response of item i, whose status is 200
///   kind.writes                 the items are writes
///   kind.posts_one              a single item goes by POST too
template <class Kind>
void Batches::run(omnistore::Call call, std::size_t count, Kind kind, omnistore_status *statuses) {
  std::vector<std::uint32_t> items;
  const std::string begin = "{\"" + std::string(kind.name) + "\":[";
  std::string body = begin;
  const auto alone = [&](std::uint32_t i) {
    omnistore::ItemCall item(call, i);
    statuses[i] = omnistore::sdk::guarded(&item, [&](omnistore::Call c) { return kind.alone(c, i); });
  };
  const auto settle = [&](std::uint32_t i, const Request &request, const BatchItem &item) {
    if (item.status == 200) return kind.take(i, item);
    if (item.status == 413 && !kind.writes) return alone(i), statuses[i]; // it did not fit into the response
    const omnistore::Failure failure = client_.refused(request, item.status, item.message);
    if (failure.status() == OMNISTORE_NOT_FOUND && !kind.writes) return failure.status();
    return call.fail(i, failure.status(), failure.what(), failure.details());
  };
  const auto send = [&] {
    std::vector<std::uint32_t> sent;
    sent.swap(items);
    std::string text = begin;
    text.swap(body);
    if ((sent.size() == 1 && !kind.posts_one) || sent.empty() || !enabled_)
      return std::for_each(sent.begin(), sent.end(), alone), void();
    text += "]}";
    Body bytes(text);
    const Request request{"POST", "/", {{"Content-Type", "application/json"}, {"Accept", "application/json"}}, &bytes};
    try {
      const std::vector<BatchItem> found = post(call, request, kind.name, sent.size());
      if (found.empty()) return std::for_each(sent.begin(), sent.end(), alone), void();
      for (std::size_t i = 0; i < sent.size(); ++i) statuses[sent[i]] = settle(sent[i], request, found[i]);
    } catch (const omnistore::Failure &failure) {
      for (const std::uint32_t i : sent)
        statuses[i] = call.fail(i, failure.status(), failure.what(), failure.details());
    }
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::size_t size = body.size();
    if (!items.empty()) body += ',';
    if (enabled_ && kind.add(i, body)) {
      items.push_back(i);
      if (items.size() == MOST_ITEMS || body.size() >= LARGEST_BODY) send();
    } else {
      body.resize(size);
      send();
      alone(i);
    }
  }
  send();
}

/// The times are cut to seconds, as those in headers are, so that one value has one mtime.
omnistore_meta Batches::meta_of(const BatchItem &item) const {
  constexpr std::int64_t SECOND = 1000;
  const std::int64_t mtime = item.mtime - item.mtime % SECOND;
  const bool reliable = !item.etag.empty() || mtime + SECOND <= host_.now(&host_);
  return omnistore::make_meta(item.size, reliable ? mtime : 0, item.expiry);
}

void Batches::get(omnistore::Call call, std::span<const omnistore_bytes> keys,
                  omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                  omnistore_status *statuses) {
  struct Kind {
    const char *name = "get";
    bool writes = false, posts_one = false;
    Batches &self;
    std::span<const omnistore_bytes> keys;
    omnistore::Requests<omnistore_get_request> requests;
    omnistore_sink *const *sinks;
    bool add(std::uint32_t i, std::string &body) const {
      const omnistore_get_request &request = requests[i];
      if (request.offset != 0 || request.length != UINT64_MAX || request.flags & OMNISTORE_GET_USER) return false;
      append_json(body, as_view(keys[i]));
      return true;
    }
    omnistore_status alone(omnistore::Call item, std::uint32_t i) const {
      return self.values_.get(item, as_view(keys[i]), requests[i], *sinks[i]);
    }
    omnistore_status take(std::uint32_t i, const BatchItem &item) const {
      omnistore_meta meta = self.meta_of(item);
      meta.value_size = item.value.size();
      if (requests[i].flags & OMNISTORE_GET_META) meta.etag = as_bytes(item.etag);
      return omnistore::give(*sinks[i], meta, item.value);
    }
  };
  run(call, keys.size(), Kind{.self = *this, .keys = keys, .requests = requests, .sinks = sinks}, statuses);
}

void Batches::stat(omnistore::Call call, std::span<const omnistore_bytes> keys,
                   omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                   omnistore_status *statuses) {
  struct Kind {
    const char *name = "stat";
    bool writes = false, posts_one = false;
    Batches &self;
    std::span<const omnistore_bytes> keys;
    omnistore::Requests<omnistore_get_request> requests;
    omnistore_sink *const *sinks;
    bool add(std::uint32_t i, std::string &body) const {
      if (requests[i].flags & OMNISTORE_GET_USER) return false; // a batch has no user meta
      append_json(body, as_view(keys[i]));
      return true;
    }
    omnistore_status alone(omnistore::Call item, std::uint32_t i) const {
      return self.values_.stat(item, as_view(keys[i]), requests[i], *sinks[i]);
    }
    omnistore_status take(std::uint32_t i, const BatchItem &item) const {
      omnistore_meta meta = self.meta_of(item);
      if (requests[i].flags & OMNISTORE_GET_META) meta.etag = as_bytes(item.etag);
      return omnistore::give(*sinks[i], meta);
    }
  };
  run(call, keys.size(), Kind{.self = *this, .keys = keys, .requests = requests, .sinks = sinks}, statuses);
}

void Batches::set(omnistore::Call call, std::span<const omnistore_bytes> keys,
                  omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                  omnistore_status *statuses) {
  struct Kind {
    const char *name = "set";
    bool writes = true, posts_one = false;
    Batches &self;
    std::span<const omnistore_bytes> keys;
    omnistore::Requests<omnistore_set_request> requests;
    omnistore_sink *const *results;
    omnistore_sink *result(std::uint32_t i) const { return results ? results[i] : nullptr; }
    bool add(std::uint32_t i, std::string &body) const {
      const omnistore_set_request &request = requests[i];
      const bool plain = !request.source && request.condition == OMNISTORE_ALWAYS && request.user.size == 0;
      if (!plain || request.value.size > LARGEST_VALUE) return false;
      const std::string_view value = as_view(request.value);
      append_json(body += "{\"key\":", as_view(keys[i]));
      if (is_utf8(value))
        append_json(body += ",\"value\":", value);
      else
        append_json(body += ",\"base64\":", to_base64(value));
      if (request.expiry != 0)
        body += ",\"ttl\":" + std::to_string(std::max<std::int64_t>(request.expiry - self.host_.now(&self.host_), 1));
      body += '}';
      return true;
    }
    omnistore_status alone(omnistore::Call item, std::uint32_t i) const {
      return self.values_.set(item, as_view(keys[i]), requests[i], result(i));
    }
    omnistore_status take(std::uint32_t i, const BatchItem &item) const {
      if (!result(i)) return OMNISTORE_OK;
      omnistore_meta meta = omnistore::make_meta(requests[i].value.size);
      meta.etag = as_bytes(item.etag);
      return omnistore::give(*result(i), meta);
    }
  };
  run(call, keys.size(), Kind{.self = *this, .keys = keys, .requests = requests, .results = results}, statuses);
}

void Batches::remove(omnistore::Call call, std::span<const omnistore_bytes> keys,
                     omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses) {
  struct Kind {
    const char *name = "remove";
    bool writes = true, posts_one = true; // alone it would take a HEAD as well
    Batches &self;
    std::span<const omnistore_bytes> keys;
    omnistore::Requests<omnistore_remove_request> requests;
    bool add(std::uint32_t i, std::string &body) const {
      if (requests[i].condition == OMNISTORE_IF_MATCH) return false;
      append_json(body, as_view(keys[i]));
      return true;
    }
    omnistore_status alone(omnistore::Call item, std::uint32_t i) const {
      return self.values_.remove(item, as_view(keys[i]), requests[i]);
    }
    omnistore_status take(std::uint32_t, const BatchItem &item) const {
      return item.found ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
    }
  };
  run(call, keys.size(), Kind{.self = *this, .keys = keys, .requests = requests}, statuses);
}

} // namespace http
