// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <boost/json/object.hpp>

#include "base/key_text.hpp"
#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/explained.hpp"
#include "cli/failure.hpp"
#include "cli/host_failure.hpp"
#include "cli/inspect_tree.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "jobs/inspect.hpp"
#include "jobs/preview.hpp"
#include "report/describe.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

/// Reads at most so many bytes of a value. Returns false if there is none.
bool read_head(Storage &storage, const std::string &key, std::uint64_t most, WholeValue &into) {
  GetOptions options;
  options.length = most;
  options.meta = true;
  return storage.read(key, into, limited(options));
}

/// Prints keys as they are found.
class Shower : public jobs::InspectSink {
public:
  Shower(const Global &global, const Inspect &options, Storage &storage, std::string base)
      : global_(global), options_(options), storage_(storage), base_(std::move(base)) {}

  void head(std::optional<std::uint64_t> count) override {
    if (global_.json || options_.null) return;
    std::string line = "Storage contents";
    if (count) line += " (" + std::to_string(*count) + (*count == 1 ? " key)" : " keys)");
    if (!base_.empty()) line += " with prefix \"" + base::printable(base_) + "\"";
    if (!options_.cursor.empty()) line += ", going on";
    out_.line(paint(Colour::bold, line + ":", 1));
    out_.flush();
  }

  void key(const Page::Item &item) override {
    if (options_.null) return print_null(out_, item.key);
    try {
      show(item.key);
    } catch (const Error &error) {
      const std::string message = global_.remote() ? as_host_message(global_.command, error.what()) : error.what();
      if (code_ == 0) code_ = exit_code(error.status());
      if (global_.json)
        out_.json(json::object{{"key", item.key},
                               {"error", {{"status", status_name(error.status())}, {"message", message}}}});
      else
        out_.line("- " + base::key_text(item.key) + "\n  Error reading " + base::key_text(item.key) + ": " +
                  base::printable(message));
    }
    out_.flush();
  }

  void tail(const jobs::Inspected &seen) {
    if (options_.null) {
      // Keys and nothing else.
    } else if (global_.json) {
      json::object line{{"keys", nullptr}, {"shown", seen.shown}, {"more", nullptr}, {"cursor", nullptr}};
      if (seen.more) line["keys"] = seen.shown + *seen.more, line["more"] = *seen.more;
      if (!seen.cursor.empty()) line["cursor"] = seen.cursor;
      out_.json(line);
    } else if (!seen.cursor.empty()) {
      out_.line("... and " + (seen.more ? std::to_string(*seen.more) + " " : std::string()) +
                (seen.more == std::uint64_t{1} ? "more key" : "more keys"));
      if (!global_.quiet) out_.line("    the next: --cursor " + seen.cursor);
    }
    out_.flush();
  }
  int code() const { return code_; }

private:
  /// Returns the mount and layer of the key, or null if they are unknown.
  json::value explained(const std::string &key) {
    if (!explains_) return nullptr;
    try {
      return explain(global_, storage_, key);
    } catch (const Error &error) {
      if (!global_.remote()) throw;
      explains_ = false;
      if (!global_.quiet) complain("omnistore: mounts and layers are not known: " + base::printable(error.what()));
      return nullptr;
    }
  }

  void show(const std::string &key) {
    const json::value found = explained(key); // first, since a read can change which layer has it
    const Status status = found.is_object() ? status_of_name(found.at("status").as_string()) : Status::ok;
    if (status == Status::not_found) return; // it went since it was listed
    if (status != Status::ok) throw Error(status, std::string(found.at("message").as_string()));
    WholeValue head;
    if (!read_head(storage_, key, options_.preview == 0 ? 1 : jobs::preview_bytes(options_.preview), head)) return;
    const jobs::Preview preview = jobs::preview_of(head.value, head.meta.size, options_.preview);
    json::object meta = report::describe(head.meta);
    if (found.is_object() && found.at("meta").is_object()) meta = found.at("meta").get_object(); // to the millisecond
    std::optional<std::int64_t> age;
    if (meta.at("mtime").is_int64()) age = std::max<std::int64_t>(unix_now() - meta.at("mtime").get_int64(), 0);
    global_.json ? print_json(key, found, meta, age, preview) : print_text(key, found, meta, age, preview);
  }

  void print_json(const std::string &key, const json::value &found, const json::object &meta,
                  const std::optional<std::int64_t> &age, const jobs::Preview &preview) {
    json::object line{{"key", key}, {"meta", meta}, {"age", nullptr}, {"mount", nullptr}, {"layer", nullptr}};
    if (age) line["age"] = *age;
    if (found.is_object()) line["mount"] = found.at("mount"), line["layer"] = found.at("layer");
    if (options_.preview != 0)
      line["preview"] = {{"kind", jobs::name_of(preview.kind)}, {"text", preview.text}, {"cut", preview.cut}};
    out_.json(line);
  }

  void print_text(const std::string &key, const json::value &found, const json::object &meta,
                  const std::optional<std::int64_t> &age, const jobs::Preview &preview) {
    const json::value &expiry = meta.at("expiry");
    out_.line("- " + paint(Colour::bold, base::key_text(key), 1) +
              " (expires: " + (expiry.is_int64() ? time_text(expiry.get_int64()) : "never") + ")");
    if (options_.preview != 0) out_.line("  Value: " + preview.text + (preview.cut ? "..." : ""));
    std::string mount = "-", layer = "-";
    if (found.is_object()) {
      mount = base::printable(std::string_view(found.at("mount").as_string()));
      mount = mount.empty() ? "(root)" : mount + ":";
      layer = layer_text(found.at("layer"));
    }
    out_.line("  Size: " + (meta.at("size").is_null() ? "-" : size_text(meta.at("size"))) +
              ", age: " + (age ? span_text(*age) : "-") + ", mount: " + mount + ", answers: " + layer);
  }

  const Global &global_;
  const Inspect &options_;
  Storage &storage_;
  const std::string base_;
  Output out_;
  bool explains_ = true;
  int code_ = 0;
};

} // namespace

int run(const Global &global, const Inspect &options) {
  const std::string base = normal_base(options.base);
  const Stores stores(global);
  SkippedPlaces skipped(global);
  const jobs::ListPage list = [&](const ListOptions &how) {
    Page page = stores->list(base, limited(how));
    skipped.tell(page.skipped);
    return page;
  };
  if (options.tree) {
    const int code = print_tree(global, options, base, list);
    return code != 0 ? code : skipped.code();
  }
  jobs::InspectOptions how;
  how.limit = options.limit.value_or(how.limit);
  how.cursor = options.cursor;
  how.count = options.count;
  Shower shower(global, options, *stores, base);
  shower.tail(jobs::inspect(list, how, shower));
  return shower.code() != 0 ? shower.code() : skipped.code();
}

} // namespace omnistore::cli
