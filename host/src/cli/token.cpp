// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <iostream>
#include <string>

#include <boost/json/object.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/descriptor.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "routes/token_file.hpp"

namespace omnistore::cli {
namespace {

/// Adds a line to a token file, which only its owner may read if it is new. A host that reads the file meanwhile sees
/// the whole line or nothing of it.
void append(const std::string &file, const std::string &line) {
  const base::Descriptor out(::open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  const std::string text = line + "\n";
  if (!out || ::write(out.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw Error(errno == EACCES ? Status::denied : Status::io, "token: " + file + ": " + std::strerror(errno));
}

} // namespace

int run(const Global &global, const MakeToken &options) {
  const bool is_new = options.action == "new";
  std::string value;
  if (is_new)
    value = routes::new_token_value(options.name);
  else
    std::getline(std::cin, value);
  value = base::trimmed(value);
  if (!is_new && value.substr(0, value.find('.')) != options.name)
    throw Failure(Status::invalid, "token hash: a token of this name begins with " + options.name + ".",
                  "give the whole token on standard input");
  routes::Token token{.name = options.name, .hash = routes::hash_token(value), .write = options.write};
  token.bases = options.bases;
  if (options.life.count() != 0) token.expires = now_ms() + options.life.count();
  const std::string line = routes::token_line(token);
  routes::parse_token(line); // a base may be malformed
  if (!options.file.empty()) append(options.file, line);

  Output out;
  if (global.json) {
    boost::json::object result{{"name", options.name}, {"line", line}};
    if (is_new) result["token"] = value;
    out.json(result);
  } else {
    if (is_new) out.line(value);
    if (options.file.empty()) out.line(line);
  }
  out.flush();
  return 0;
}

} // namespace omnistore::cli
