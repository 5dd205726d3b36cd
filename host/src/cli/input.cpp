// SPDX-License-Identifier: Apache-2.0
#include "cli/input.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "cli/failure.hpp"
#include "cli/stop_signals.hpp"
#include "cli/streams.hpp"
#include "config/formats.hpp"

namespace omnistore::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_line = 256 * 1024 * 1024;

} // namespace

Input::Input(const std::string &file)
    // To open a pipe that nobody writes yet would wait where no signal can end it.
    : descriptor_(file == "-" ? STDIN_FILENO
                              : ::open(file.c_str(), O_RDONLY | O_CLOEXEC | (stops_by_signal() ? O_NONBLOCK : 0))),
      name_(file == "-" ? "standard input" : file) {
  if (descriptor_ >= 0 && descriptor_ != STDIN_FILENO && stops_by_signal()) ::fcntl(descriptor_, F_SETFL, 0);
  if (descriptor_ < 0) throw Failure(Status::invalid, "read " + file + ": " + std::strerror(errno), "");
  if (was_closed(descriptor_))
    throw Failure(Status::invalid, "read standard input: it is closed", "give it with < or |, or name a file");
}

Input::~Input() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

std::size_t Input::read(char *into, std::size_t capacity) {
  for (;;) {
    wait_or_stop(descriptor_, POLLIN);
    const ssize_t got = ::read(descriptor_, into, capacity);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN) { // another program made the pipe non-blocking
      pollfd ready{descriptor_, POLLIN, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR)
      throw Failure(Status::invalid, "read " + name_ + ": " + std::strerror(errno), "");
  }
}

std::uint64_t Input::left() const {
  struct stat status;
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) return UINT64_MAX;
  const off_t at = ::lseek(descriptor_, 0, SEEK_CUR);
  // What says that it is empty may be made as it is read, as files of /proc are.
  return at < 0 || status.st_size <= at ? UINT64_MAX : static_cast<std::uint64_t>(status.st_size - at);
}

bool Lines::next(std::string &line) {
  for (;;) {
    std::size_t end = held_.find(end_, at_);
    while (end == held_.npos && !ended_) {
      held_.erase(0, at_);
      at_ = 0;
      const std::size_t had = held_.size();
      if (had > longest_line)
        throw Failure(Status::too_large, name_ + ", line " + std::to_string(number_ + 1) + ": longer than 256 MiB",
                      "set a value of that size by itself, with -f");
      held_.resize(had + 64 * 1024);
      const std::size_t got = input_.read(held_.data() + had, held_.size() - had);
      held_.resize(had + got);
      ended_ = got == 0;
      if (number_ == 0 && end_ == '\n') skip_byte_order_mark();
      end = held_.find(end_, std::max(had, at_));
    }
    if (at_ == held_.size()) return false;
    if (end == held_.npos) end = held_.size();
    line.assign(held_, at_, end - at_);
    at_ = std::min(end + 1, held_.size());
    ++number_;
    if (end_ == '\n' && line.ends_with('\r')) line.pop_back();
    if (!line.empty()) return true;
  }
}

void Lines::malformed(const std::string &expected) const {
  throw Failure(Status::invalid, name_ + ", line " + std::to_string(number_) + ": expected " + expected, "");
}

/// Some editors put one in front of a text.
void Lines::skip_byte_order_mark() {
  if (at_ == 0 && held_.starts_with("\xEF\xBB\xBF")) at_ = 3;
}

bool Lines::next_key(std::string &key) {
  if (!next(key)) return false;
  if (end_ == '\0') return true;
  if (!key.starts_with('{') && !key.starts_with('"')) return true;
  boost::system::error_code broken;
  json::value value = json::parse(key, broken);
  if (broken) malformed("a key, or JSON with one: " + broken.message());
  if (value.is_object())
    if (const json::value *inner = value.get_object().if_contains("key")) value = json::value(*inner);
  if (!value.is_string()) malformed("a key, a JSON string, or an object with \"key\"");
  key = value.get_string();
  return true;
}

bool Lines::next_item(SetItem &item) {
  std::string line;
  if (!next(line)) return false;
  boost::system::error_code broken;
  const json::value value = json::parse(line, broken);
  if (broken || !value.is_object()) malformed(R"(an object as {"key": "a", "value": "text"})");
  item = {};
  int keys = 0, values = 0;
  for (const auto &[name, field] : value.get_object()) {
    if (name == "key" && field.is_string()) {
      item.key = field.get_string();
      ++keys;
    } else if (name == "value" && field.is_string()) {
      item.value = field.get_string();
      ++values;
    } else if (name == "base64" && field.is_string()) {
      std::optional<std::string> bytes = base::from_base64(field.get_string().c_str());
      if (!bytes) malformed("base64 as \"base64\"");
      item.value = std::move(*bytes);
      ++values;
    } else if (name == "ttl") {
      std::int64_t milliseconds = 0;
      const std::string wrong = config::read_ttl(field, milliseconds);
      if (!wrong.empty())
        throw Failure(Status::invalid, name_ + ", line " + std::to_string(number_) + ": \"ttl\": " + wrong, "");
      item.options.ttl = std::chrono::milliseconds(milliseconds);
    } else if (name != "meta") { // which `get --json` shows
      malformed("the fields key, value or base64, which are strings, and ttl; found \"" +
                std::string(name.data(), name.size()) + "\"");
    }
  }
  if (keys != 1 || values != 1) malformed("an object with \"key\" and either \"value\" or \"base64\"");
  return true;
}

} // namespace omnistore::cli
