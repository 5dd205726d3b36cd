// SPDX-License-Identifier: Apache-2.0
// A running host, through its HTTP: values and keys from the data listener, what it is from the admin listener.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/encoding.hpp"
#include "cli/admin.hpp"
#include "cli/failure.hpp"
#include "cli/host.hpp"
#include "cli/log.hpp"
#include "cli/remote.hpp"
#include "config/names.hpp"
#include "report/skipped.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

std::string path_of(std::string_view normal) {
  std::string path;
  while (!normal.empty()) {
    const std::size_t end = std::min(normal.find(':'), normal.size());
    path += "/" + escape(normal.substr(0, end));
    normal.remove_prefix(std::min(end + 1, normal.size()));
  }
  return path;
}

std::string key_path(const std::string &key) { return path_of(Key(key).view()); }
std::string base_path(const std::string &base) { return path_of(normal_base(base)) + "/"; }

std::uint64_t number_of(const std::string &text, std::uint64_t otherwise) {
  std::uint64_t number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::string unquoted(std::string text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

/// The times are to the second, which is all that the header fields hold.
Meta meta_of(const HttpAnswer &answer) {
  using namespace std::chrono;
  Meta meta;
  meta.size = number_of(answer.header("Content-Length"), UINT64_MAX);
  if (const std::string part = answer.header("Content-Range"); !part.empty()) // "bytes 0-99/1234"
    meta.size = number_of(part.substr(part.find('/') + 1), UINT64_MAX);
  meta.etag = unquoted(answer.header("ETag"));
  std::tm date{};
  if (strptime(answer.header("Last-Modified").c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date))
    meta.mtime = static_cast<std::int64_t>(timegm(&date)) * 1000;
  if (const std::string ttl = answer.header("X-Ttl"); !ttl.empty()) {
    const auto now = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
    meta.expiry = (now + static_cast<std::int64_t>(number_of(ttl, 0))) * 1000;
  }
  if (const std::string *user = answer.find("X-User-Meta")) {
    if (std::optional<std::string> text = base::from_base64(*user)) {
      meta.user = std::move(*text);
      meta.user_known = true;
    }
  }
  return meta;
}

class Remote : public Target {
public:
  explicit Remote(const Global &global) : global_(global), host_(global.url, global.token) {}

  std::string name() const override { return host_.url(); }

  bool read(const std::string &key, Reader &reader, const std::optional<http::ByteRange> &range) override {
    bool found = false;
    std::string failure;
    HttpRequest request{"GET", key_path(key), {}, {}};
    if (range) request.headers.emplace_back("Range", range_text(*range));
    HttpAnswer answer = host_.send(
        std::move(request),
        [&](const HttpAnswer &head) {
          found = head.status == 200 || head.status == 206;
          if (found) reader.begin(meta_of(head));
        },
        [&](std::string_view part) { found ? reader.write(part) : void(failure += part); });
    if (found) return true;
    if (answer.status == 404) return false;
    answer.body = std::move(failure);
    throw error_of("get " + key, answer);
  }

  bool has(const std::string &key) override { return head("has", key).has_value(); }

  std::optional<Meta> meta(const std::string &key) override {
    std::optional<Meta> meta = head("meta", key, {{"X-User-Meta", "?"}});
    if (!meta || meta->user_known || Key(key).is_meta()) return meta;
    // It is too long for a header, or the host's store does not know it. The rest is told, whatever comes of this.
    const HttpAnswer user = host_.send({"GET", key_path(std::string(Key(key).view()) + "$"), {}, {}});
    if (user.status == 200) meta->user = user.body;
    return meta;
  }

  Stored set(const std::string &key, std::string_view value, const SetOptions &options) override {
    HttpRequest request = put_request(key, options);
    request.body = value;
    return stored(key, host_.send(std::move(request)));
  }

  Stored set(const std::string &key, Source &source, std::uint64_t size, const SetOptions &options) override {
    HttpRequest request = put_request(key, options);
    request.source = [&source](char *into, std::size_t capacity) { return source.read(into, capacity); };
    request.source_size = size;
    return stored(key, host_.send(std::move(request)));
  }

  bool touch(const std::string &key, std::chrono::milliseconds ttl) override {
    const HttpAnswer answer = host_.send({"PATCH", key_path(key), {{"X-Ttl", seconds_text(ttl.count())}}, {}});
    if (answer.status == 404) return false;
    check("touch " + key, answer);
    return true;
  }

  std::vector<EntryOutcome> get(std::span<const std::string> keys) override {
    std::vector<EntryOutcome> outcomes;
    for (const json::value &item : batch("get", json::array(keys.begin(), keys.end()))) {
      EntryOutcome &outcome = outcomes.emplace_back();
      static_cast<Outcome &>(outcome) = outcome_of("get", item);
      if (outcome.status == Status::ok) outcome.entry = entry_of(item.as_object());
    }
    return outcomes;
  }

  std::vector<Outcome> set(std::span<const SetItem> items) override {
    json::array list;
    for (const SetItem &item : items) {
      json::object shown{{"key", item.key}};
      if (config::valid_utf8(item.value))
        shown["value"] = item.value;
      else
        shown["base64"] = base::to_base64(item.value);
      if (item.options.ttl) shown["ttl"] = item.options.ttl->count();
      list.push_back(std::move(shown));
    }
    return outcomes_of("set", batch("set", std::move(list)));
  }

  std::vector<Outcome> remove(std::span<const std::string> keys) override {
    return outcomes_of("rm", batch("remove", json::array(keys.begin(), keys.end())));
  }

  Page list(const std::string &base, const ListOptions &options) override {
    std::string query = "?limit=" + std::to_string(options.limit);
    if (options.depth != ListOptions::any_depth) query += "&depth=" + std::to_string(options.depth);
    if (!options.cursor.empty()) query += "&cursor=" + escape(options.cursor);
    const HttpAnswer answer = host_.send({"GET", base_path(base) + query, {}, {}});
    check("ls " + base, answer);
    const json::value keys = json::parse(answer.body);
    Page page;
    for (const json::value &key : keys.as_array()) {
      page.items.push_back({std::string(key.as_string()), {}});
      std::replace(page.items.back().key.begin(), page.items.back().key.end(), '/', ':');
    }
    page.cursor = answer.header("X-Cursor");
    page.skipped = report::read_skipped(answer.header(report::skipped_header));
    if (options.meta) add_meta(page);
    return page;
  }

  std::optional<std::uint64_t> clear(const std::string &base) override {
    check("clear " + base, host_.send({"DELETE", base_path(base), {}, {}}));
    return std::nullopt;
  }

  std::unique_ptr<Subscription> watch(const std::string &base, EventSink &sink) override {
    start_log({}, global_); // breaks of the connection are logged
    const bool is_key = !normal_form(base).empty() && !base.ends_with(':') && !base.ends_with('/');
    return watch_host(global_, is_key ? key_path(base) : base_path(base), sink);
  }

  json::object explain(const std::string &key) override {
    return ask_admin(global_, "/explain?key=" + escape(Key(key).view()));
  }
  json::object mounts() override { return ask_admin(global_, "/mounts"); }

private:
  static HttpRequest put_request(const std::string &key, const SetOptions &options) {
    HttpRequest request{"PUT", key_path(key), {{"Content-Type", "application/octet-stream"}}, {}};
    if (options.ttl) request.headers.emplace_back("X-Ttl", seconds_text(options.ttl->count()));
    switch (options.condition.kind) {
    case Condition::Kind::always:
      break;
    case Condition::Kind::if_absent:
      request.headers.emplace_back("If-None-Match", "*");
      break;
    case Condition::Kind::if_present:
      request.headers.emplace_back("If-Match", "*");
      break;
    case Condition::Kind::if_match:
      request.headers.emplace_back("If-Match", "\"" + options.condition.etag + "\"");
      break;
    }
    return request;
  }

  static Stored stored(const std::string &key, const HttpAnswer &answer) {
    if (answer.status == 412) return {false, {}};
    check("set " + key, answer);
    return {true, unquoted(answer.header("ETag"))};
  }

  static std::string range_text(const http::ByteRange &range) {
    if (range.suffix) return "bytes=-" + std::to_string(range.last);
    return "bytes=" + std::to_string(range.first) + "-" +
           (range.last == UINT64_MAX ? std::string() : std::to_string(range.last));
  }

  /// The outcomes that the host has for one list of items.
  json::array batch(const std::string &what, json::array items) {
    const std::string body = json::serialize(json::object{{what, std::move(items)}});
    const HttpAnswer answer = host_.send({"POST", "/", {{"Content-Type", "application/json"}}, body});
    check(what + " of many keys", answer);
    return json::parse(answer.body).at(what).as_array();
  }

  static Outcome outcome_of(const std::string &command, const json::value &item) {
    const auto http = item.at("status").to_number<unsigned>();
    if (http == 200) return {};
    return {status_of(http), as_command(command, std::string(item.at("message").as_string()))};
  }

  static std::vector<Outcome> outcomes_of(const std::string &command, const json::array &items) {
    std::vector<Outcome> outcomes;
    for (const json::value &item : items) outcomes.push_back(outcome_of(command, item));
    return outcomes;
  }

  static Entry entry_of(const json::object &item) {
    Entry entry;
    if (const json::value *text = item.if_contains("value"))
      entry.value = text->as_string();
    else
      entry.value = base::from_base64(item.at("base64").as_string().c_str()).value_or("");
    const json::object &meta = item.at("meta").as_object();
    entry.meta.size = entry.value.size();
    if (meta.at("mtime").is_int64()) entry.meta.mtime = meta.at("mtime").get_int64();
    if (meta.at("expiry").is_int64()) entry.meta.expiry = meta.at("expiry").get_int64();
    if (meta.at("etag").is_string()) entry.meta.etag = meta.at("etag").get_string();
    return entry;
  }

  static void check(const std::string &what, const HttpAnswer &answer) {
    if (answer.status / 100 != 2) throw error_of(what, answer);
  }

  static std::string seconds_text(std::int64_t milliseconds) {
    std::string rest = std::to_string(milliseconds % 1000);
    rest.insert(0, 3 - rest.size(), '0');
    return std::to_string(milliseconds / 1000) + "." + rest;
  }

  std::optional<Meta> head(const std::string &command, const std::string &key,
                           std::vector<std::pair<std::string, std::string>> headers = {}) {
    const HttpAnswer answer = host_.send({"HEAD", key_path(key), std::move(headers), {}});
    if (answer.status == 404) return std::nullopt;
    if (answer.status / 100 == 2) return meta_of(answer);
    // The response to a HEAD has no body that would say why; that to a GET of the first byte has one.
    const HttpAnswer again = host_.send({"GET", key_path(key), {{"Range", "bytes=0-0"}}, {}});
    throw error_of(command + " " + key, again.status == answer.status ? again : answer);
  }

  /// A key that went since it was listed is left out.
  void add_meta(Page &page) {
    std::erase_if(page.items, [&](Page::Item &item) {
      const std::optional<Meta> meta = head("ls", item.key);
      if (meta) item.meta = *meta;
      return !meta;
    });
  }

  const Global global_;
  Host host_;
};

} // namespace

std::unique_ptr<Target> open_remote(const Global &global) { return std::make_unique<Remote>(global); }

} // namespace omnistore::cli
