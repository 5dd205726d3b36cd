// SPDX-License-Identifier: Apache-2.0
// Output as bytes, JSON and tables. Results go to standard output, everything else to standard error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <omnistore/config.hpp>
#include <omnistore/storage.hpp>

namespace omnistore::cli {

/// Writes all of it to a file descriptor. Throws ClosedPipe if its reader is gone, or Error(io), which names `name`.
void write_all(int descriptor, std::string_view bytes, const std::string &name);

/// Keeps standard output for results: from here on they go to a descriptor of the program's own, and descriptor 1,
/// which plugins may print to, leads to standard error. Call it once, before a plugin is loaded.
void keep_results();
/// The descriptor that results go to. Async-signal-safe.
int results() noexcept;

/// Standard output with a buffer: call flush() before the program ends or waits.
class Output {
public:
  void write(std::string_view bytes);
  void line(std::string_view text);
  void json(const boost::json::value &value); ///< one line, in which nothing acts on a terminal
  void flush();

private:
  std::string buffer_;
};

/// Writes one line to standard error as it is. Text from others must have gone through base::printable().
void complain(std::string_view line);
void complain_json(const boost::json::value &value);
/// Shows the text in place of the last line of standard error, a terminal. An empty text removes that line.
void show_progress(std::string_view text);

enum class Colour { bold, red, green, yellow };
/// Returns the text in a colour if the descriptor is a terminal that wants it (NO_COLOR is not set).
std::string paint(Colour colour, std::string_view text, int descriptor);
bool is_terminal(int descriptor);

/// Prints a key and a NUL after it, as `xargs -0` takes them.
void print_null(Output &out, std::string_view key);

/// Rows in columns as wide as their widest cell, the first row as head. Cells are made printable.
void print_table(Output &out, const std::vector<std::vector<std::string>> &rows);

std::string time_text(std::int64_t unix_ms);           ///< "2025-11-24T07:13:07.250Z"
std::string size_text(std::uint64_t bytes);            ///< "17 B", "5.6 MiB"
std::string size_text(const boost::json::value &size); ///< of a meta in JSON: null is "unknown size"
std::string duration_text(std::int64_t ms);            ///< "90s", "1h": the largest unit that is exact; 0: "-"

boost::json::array to_json(const std::vector<Problem> &problems);

} // namespace omnistore::cli
