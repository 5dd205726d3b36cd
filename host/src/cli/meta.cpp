// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "report/describe.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

int run(const Global &global, const ShowMeta &options) {
  const auto meta = open_target(global)->meta(options.key);
  if (!meta) throw Error(Status::not_found, "meta " + options.key + ": no such key");
  Output out;
  if (global.json) {
    out.json(boost::json::object{{"key", Key(options.key).view()}, {"meta", report::describe(*meta)}});
  } else {
    if (meta->size != UINT64_MAX) out.line("size    " + std::to_string(meta->size));
    if (meta->mtime != 0) out.line("mtime   " + time_text(meta->mtime));
    out.line("expiry  " + (meta->expiry != 0 ? time_text(meta->expiry) : "never"));
    if (!meta->etag.empty()) out.line("etag    " + base::printable(meta->etag));
    if (!meta->user.empty()) out.line("user    " + base::printable(meta->user));
  }
  out.flush();
  return 0;
}

} // namespace omnistore::cli
