// SPDX-License-Identifier: Apache-2.0
#include "cli/output.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/printable.hpp"
#include "cli/failure.hpp"
#include "cli/stop_signals.hpp"
#include "cli/streams.hpp"
#include "config/formats.hpp"
#include "config/names.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {

namespace json = boost::json;

namespace {
int results_descriptor = STDOUT_FILENO;
} // namespace

void keep_results() {
  if (was_closed(STDOUT_FILENO)) return; // write_all says so
  const int own = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (own < 0 || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) return; // no descriptors: all stays as it is
  results_descriptor = own;
}

int results() noexcept { return results_descriptor; }

void write_all(int descriptor, std::string_view bytes, const std::string &name) {
  if (was_closed(descriptor) && !bytes.empty()) throw Error(Status::io, "cannot write " + name + ": it is closed");
  while (!bytes.empty()) {
    const std::size_t most = wait_or_stop(descriptor, POLLOUT) ? bytes.size() : std::size_t{PIPE_BUF};
    const ssize_t written = ::write(descriptor, bytes.data(), std::min(most, bytes.size()));
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw ClosedPipe{};
    } else if (errno == EAGAIN) { // another program made the pipe non-blocking
      pollfd ready{descriptor, POLLOUT, 0};
      ::poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      throw Error(Status::io, "cannot write " + name + ": " + std::strerror(errno));
    }
  }
}

void Output::write(std::string_view bytes) {
  constexpr std::size_t most = 64 * 1024;
  if (buffer_.size() + bytes.size() > most) flush();
  if (bytes.size() > most)
    write_all(results(), bytes, "to standard output");
  else
    buffer_ += bytes;
}

void Output::line(std::string_view text) {
  write(text);
  write("\n");
}

void Output::json(const json::value &value) { line(base::printable_json(report::to_text(value))); }

void Output::flush() {
  const std::string bytes = std::move(buffer_);
  buffer_.clear();
  write_all(results(), bytes, "to standard output");
}

void complain(std::string_view line) {
  std::string text(line);
  text += '\n';
  // If standard error fails, there is no other place for the message.
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written < 0 && errno != EINTR) return;
    if (written > 0) rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void complain_json(const json::value &value) { complain(base::printable_json(json::serialize(value))); }

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::string paint(Colour colour, std::string_view text, int descriptor) {
  constexpr const char *codes[] = {"\033[1m", "\033[31m", "\033[32m", "\033[33m"};
  const char *no_color = std::getenv("NO_COLOR");
  if (!is_terminal(descriptor) || (no_color && *no_color)) return std::string(text);
  return codes[static_cast<int>(colour)] + std::string(text) + "\033[0m";
}

void show_progress(std::string_view text) {
  const std::string line = "\r" + std::string(text) + "\033[K";
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return; // nobody would read it
}

void print_null(Output &out, std::string_view key) {
  out.write(key);
  out.write({"\0", 1});
}

void print_table(Output &out, const std::vector<std::vector<std::string>> &raw) {
  std::vector<std::vector<std::string>> rows = raw;
  std::vector<std::size_t> widths;
  for (auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = base::printable(row[i]);
      widths[i] = std::max(widths[i], config::characters(row[i]));
    }
  }
  for (const auto &row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - config::characters(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out.line(&row == rows.data() ? paint(Colour::bold, line, results()) : line);
  }
}

std::string time_text(std::int64_t unix_ms) { return config::shown_moment(unix_ms); }

std::string size_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr const char *units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double amount = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; amount >= 1023.95 && unit < 5; ++unit) amount /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", amount, units[unit]);
  return text;
}

std::string size_text(const json::value &size) {
  return size.is_null() ? "unknown size" : size_text(size.to_number<std::uint64_t>());
}

std::string duration_text(std::int64_t ms) { return ms == 0 ? "-" : config::shown_duration(ms); }

json::array to_json(const std::vector<Problem> &problems) {
  json::array result;
  for (const Problem &problem : problems)
    result.push_back(json::object{
        {"path", problem.path}, {"message", problem.message}, {"line", problem.line}, {"column", problem.column}});
  return result;
}

} // namespace omnistore::cli
