// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <boost/json/object.hpp>

#include "base/key_text.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {
namespace {

void print(Output &out, const Page::Item &item, const Global &global, const List &options) {
  const bool is_folder = item.key.ends_with(':');
  const bool details = options.details;
  if (options.null) {
    print_null(out, item.key);
  } else if (global.json) {
    boost::json::object line{{"key", item.key}};
    if (details && !is_folder) line["meta"] = report::describe(item.meta);
    out.json(line);
  } else if (details) {
    std::string size = is_folder || item.meta.size == UINT64_MAX ? "-" : std::to_string(item.meta.size);
    if (size.size() < 10) size.insert(0, 10 - size.size(), ' ');
    const std::string never = "never" + std::string(19, ' ');
    const std::string unknown = "-" + std::string(23, ' ');
    out.line(size + "  " + (item.meta.mtime != 0 ? time_text(item.meta.mtime) : unknown) + "  " +
             (item.meta.expiry != 0 ? time_text(item.meta.expiry)
              : is_folder           ? unknown
                                    : never) +
             "  " + base::key_text(item.key));
  } else {
    out.line(base::key_text(item.key));
  }
}

} // namespace

int run(const Global &global, const List &options) {
  constexpr std::uint64_t page_size = 1000;
  const Stores stores(global);
  Output out;
  ListOptions how;
  how.depth = options.depth.value_or(options.folders ? 0 : ListOptions::any_depth);
  how.start = options.start;
  how.end = options.end;
  how.reverse = options.reverse;
  how.folders = options.folders;
  how.meta = options.details;
  std::uint64_t left = options.limit;
  SkippedPlaces skipped(global);
  do {
    how.limit = static_cast<std::uint32_t>(std::min(left, page_size));
    Page page = stores->list(options.base, limited(how));
    for (const Page::Item &item : page.items) print(out, item, global, options);
    out.flush();
    skipped.tell(page.skipped);
    left -= std::min<std::uint64_t>(left, page.items.size());
    how.cursor = std::move(page.cursor);
  } while (left > 0 && !how.cursor.empty());
  return skipped.code();
}

} // namespace omnistore::cli
