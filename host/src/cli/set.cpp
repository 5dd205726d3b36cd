// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>

#include <boost/json/object.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/target.hpp"
#include "storage/key.hpp"

namespace omnistore::cli {
namespace {

std::string read_all(int descriptor, const std::string &name) {
  std::string result;
  std::size_t size = 0;
  while (true) {
    result.resize(std::max<std::size_t>(64 * 1024, size * 2));
    const ssize_t got = ::read(descriptor, result.data() + size, result.size() - size);
    if (got == 0) break;
    if (got > 0) size += static_cast<std::size_t>(got);
    if (got < 0 && errno != EINTR) throw Failure(Status::invalid, "read " + name + ": " + std::strerror(errno), "");
  }
  result.resize(size);
  return result;
}

std::string value_of(const Set &options) {
  if (options.value) return *options.value;
  if (!options.file.empty() && options.file != "-") {
    const int descriptor = ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) throw Failure(Status::invalid, "read " + options.file + ": " + std::strerror(errno), "");
    const struct Closer {
      int descriptor;
      ~Closer() { ::close(descriptor); }
    } closer{descriptor};
    return read_all(descriptor, options.file);
  }
  if (options.file.empty() && is_terminal(STDIN_FILENO))
    throw Failure(Status::invalid, "set " + options.key + ": there is no value",
                  "give one behind the key, or in a file with -f FILE, or through a pipe; -f - reads the terminal");
  return read_all(STDIN_FILENO, "standard input");
}

[[noreturn]] void refused(const Set &options) {
  const std::string what = "set " + options.key + ": ";
  if (options.condition.kind == Condition::Kind::if_absent)
    throw Failure(Status::conflict, what + "the key is there already, and --if-absent was asked for",
                  "leave --if-absent out to replace it");
  if (options.condition.kind == Condition::Kind::if_present)
    throw Failure(Status::conflict, what + "there is no such key, and --if-present was asked for",
                  "leave --if-present out to make it");
  throw Failure(Status::conflict, what + "its etag is not " + options.condition.etag,
                "`omnistore meta KEY` gives the etag that it has now");
}

} // namespace

int run(const Global &global, const Set &options) {
  const std::string value = value_of(options);
  SetOptions how;
  how.ttl = options.ttl;
  how.condition = options.condition;
  const Stored stored = open_target(global)->set(options.key, value, how);
  if (!stored.stored) refused(options);
  if (global.json) {
    Output out;
    boost::json::object result{{"key", Key(options.key).view()}, {"size", value.size()}, {"etag", nullptr}};
    if (!stored.etag.empty()) result["etag"] = stored.etag;
    out.json(result);
    out.flush();
  }
  return 0;
}

} // namespace omnistore::cli
