// SPDX-License-Identifier: Apache-2.0
#include <boost/json/object.hpp>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/input.hpp"
#include "cli/output.hpp"
#include "cli/stores.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {

namespace {

/// Removes a batch. Returns the code of the first failure, or 0.
int remove_some(const Global &global, Storage &storage, const std::vector<std::string> &keys, Output &out) {
  const std::vector<Outcome> outcomes = storage.remove_many(keys, limited(CallOptions()));
  int code = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome &outcome = outcomes[i];
    if (outcome.status == Status::ok || outcome.status == Status::not_found) {
      if (global.json) out.json(boost::json::object{{"key", Key(keys[i]).view()}});
      continue;
    }
    const int failed = report(global, Error(outcome.status, outcome.message));
    if (code == 0) code = failed;
  }
  out.flush();
  return code;
}

} // namespace

/// It is no failure if a key does not exist. If some keys fail, the others are removed all the same, each failure is
/// reported, and the code of the first one is the program's.
int run(const Global &global, const Remove &options) {
  if (options.keys.empty() && options.from.empty())
    throw Failure(Status::invalid, "rm: there is no key", "name one, or give a file of them with --from");
  const Stores stores(global);
  Output out;
  int code = 0;
  std::vector<std::string> batch;
  const auto flush = [&] {
    if (batch.empty()) return;
    const int failed = remove_some(global, *stores, batch, out);
    if (code == 0) code = failed;
    batch.clear();
  };
  const auto add = [&](const std::string &key) {
    batch.push_back(key);
    if (batch.size() == batch_size) flush();
  };
  for (const std::string &key : options.keys) add(key);
  if (!options.from.empty()) {
    Lines lines(options.from, options.null);
    for (std::string key; lines.next_key(key);) add(key);
  }
  flush();
  return code;
}

} // namespace omnistore::cli
