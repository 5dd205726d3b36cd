// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/explained.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "jobs/preview.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

std::string plain(const json::value &text) { return base::printable(std::string_view(text.as_string())); }

std::string micros_text(double micros) {
  char text[32];
  if (micros < 1000)
    std::snprintf(text, sizeof text, "%.1f us", micros);
  else
    std::snprintf(text, sizeof text, "%.1f ms", micros / 1000);
  return text;
}

/// Returns in words what a driver adds: "stale, 61s old, fresh for 60s, checked ...". Fields without a set meaning
/// come as they are.
std::string about_text(const json::object &about) {
  std::string text;
  const auto add = [&text](const std::string &part) { text += (text.empty() ? "" : ", ") + part; };
  for (const auto &[name, value] : about) {
    if (name == "state" && value.is_string())
      add(plain(value));
    else if (name == "age" && value.is_int64())
      add(span_text(value.get_int64()) + " old");
    else if (name == "maxAge" && value.is_int64())
      add("fresh for " + span_text(value.get_int64()));
    else if (name == "checked" && value.is_int64())
      add("checked " + time_text(value.get_int64()));
    else if (value.is_bool())
      value.get_bool() ? add(base::printable(name)) : void();
    else
      add(base::printable(name) + " " + base::printable(json::serialize(value)));
  }
  return text;
}

std::string outcome_text(const json::object &hop) {
  const std::string outcome(hop.at("outcome").as_string());
  if (outcome == "not_asked") return "not asked";
  if (outcome == "passed_over") return "has it, not taken";
  return outcome;
}

/// A store and those below it, a row each.
void add_hops(std::vector<std::vector<std::string>> &rows, const json::object &hop, const std::string &before,
              const std::string &indent) {
  std::string time = "-", note;
  if (hop.contains("time")) {
    time = micros_text(hop.at("time").to_number<double>());
    if (hop.at("about").is_object()) note = about_text(hop.at("about").get_object());
    if (hop.contains("about_late")) note = "its driver did not say more in time";
    if (hop.at("message").is_string()) note += (note.empty() ? "" : "; ") + plain(hop.at("message"));
  }
  rows.push_back({before + plain(hop.at("driver")), outcome_text(hop), time, note});
  const json::value *children = hop.if_contains("children");
  if (!children) return;
  for (std::size_t i = 0; i < children->as_array().size(); ++i) {
    const bool last = i + 1 == children->as_array().size();
    add_hops(rows, children->as_array()[i].as_object(), indent + (last ? "└─ " : "├─ "),
             indent + (last ? "   " : "│  "));
  }
}

void print(Output &out, const json::object &found) {
  const std::string mountpoint = plain(found.at("mount")), inside = plain(found.at("inside"));
  const std::int64_t ttl = found.at("ttl").to_number<std::int64_t>();
  out.line("key      " + base::key_text(std::string_view(found.at("key").as_string())));
  out.line("mount    " + (mountpoint.empty() ? "(root)" : mountpoint + ":") +
           (found.at("read_only").as_bool() ? ", read-only" : "") + ", ttl " +
           (ttl == 0 ? "none" : duration_text(ttl)));
  if (!found.at("prefix").as_string().empty()) out.line("prefix   " + plain(found.at("prefix")));
  out.line("inside   " + inside);
  if (const json::object *meta = found.at("meta").if_object()) {
    const std::int64_t now = unix_now();
    std::string answer = layer_text(found.at("layer")) + ", " + size_text(meta->at("size"));
    if (meta->at("mtime").is_int64()) answer += ", " + span_text(now - meta->at("mtime").get_int64()) + " old";
    if (meta->at("etag").is_string()) answer += ", etag " + plain(meta->at("etag"));
    out.line("answers  " + answer);
    const json::value &expiry = meta->at("expiry");
    out.line("expires  " + (expiry.is_int64()
                                ? time_text(expiry.get_int64()) + ", in " + span_text(expiry.get_int64() - now)
                                : std::string("never")));
  } else {
    out.line("answers  nobody: " + (found.at("message").is_string() ? plain(found.at("message")) : "no such key"));
  }
  out.line("");
  std::vector<std::vector<std::string>> rows{{"ROUTE", "ANSWER", "TIME", "NOTE"}};
  add_hops(rows, found.at("store").as_object(), "", "");
  print_table(out, rows);
}

} // namespace

int run(const Global &global, const Explain &options) {
  const json::object found =
      global.names_host() ? explain_at_host(global, options.key) : explain(global, *Stores(global), options.key);
  Output out;
  if (global.json)
    out.json(found);
  else
    print(out, found);
  out.flush();
  const Status status = status_of_name(found.at("status").as_string());
  if (status == Status::ok || status == Status::not_found) return exit_code(status);
  return report(global, Error(status, std::string(found.at("message").as_string())));
}

} // namespace omnistore::cli
