// SPDX-License-Identifier: Apache-2.0
// The lines of a dump (FORMAT.md): how they are written, and read.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "jobs/digest.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

constexpr std::size_t dump_part = 256 * 1024; ///< bytes of a long value on a line

/// What a dump has so far, which its last line tells.
struct DumpSum {
  std::uint64_t entries = 0, bytes = 0, lines = 0;
  Digest digest;

  void add_line(std::string_view line); ///< with its end
};

/// Writes a dump. Entries come whole: each is made ready by the thread that brings it, and goes out under a lock.
/// [any thread]
class DumpWriter {
public:
  /// `out` gets what is written, in order, by one thread at a time; what it throws goes to the one who writes. `begun`
  /// is what was written before, of a dump that is gone on with.
  explicit DumpWriter(std::function<void(std::string_view)> out, DumpSum begun = {});

  void header(std::string_view base);
  /// Entries that are held. `keys` are relative to the base.
  void entries(std::span<const std::string_view> keys, std::span<const Taken *const> taken);
  void checkpoint(std::string_view cursor);
  void finish();

  /// A long value, written in pieces; nothing else is, while it lives. One that is not ended leaves a dump that cannot
  /// be read further: its writer must fail.
  class Long {
  public:
    Long(DumpWriter &dump, std::string_view key, const Taken &known);
    void add(std::string_view bytes);
    void end();

  private:
    void part(std::string_view bytes);
    DumpWriter &dump_;
    std::unique_lock<std::mutex> lock_;
    std::string key_, held_;
    Digest digest_;
    std::uint64_t parts_ = 0, size_ = 0;
  };

private:
  void put(std::string_view lines, std::uint64_t count);
  void put(const boost::json::object &line);

  const std::function<void(std::string_view)> out_;
  std::mutex mutex_;
  DumpSum sum_;
};

/// Reads a dump, line by line. For one thread at a time.
class DumpReader {
public:
  struct Line {
    enum class Kind {
      entry,
      long_entry, ///< its value is read by part()
      checkpoint, ///< `cursor` is set
      other,      ///< of a kind that this program does not know
      damaged,    ///< `problem` says what is wrong; the next line may be good
      end         ///< the last line, which is as it should be
    };
    Kind kind = Kind::other;
    bool is_last = false;     ///< it says that it is the last, right or damaged
    std::uint64_t number = 0; ///< counted from 1
    std::string key;
    Taken taken; ///< of an entry: held
    std::string cursor, problem;
  };

  /// `name` is for messages. Reads the first line: throws Error(corrupt) where this is no dump, Error(unsupported)
  /// where it is a newer one.
  DumpReader(Source &in, std::string name);

  /// False: there are no more lines. Where the last was not one of kind end, the dump was cut off.
  bool next(Line &line);
  /// The next piece of a long value; false: that was all, and its checksum is right. Throws Error(corrupt).
  bool part(std::string &bytes);
  /// Passes over what is left of a long value that was begun, as far as it is whole.
  void pass_over();

  const std::string &base() const { return base_; }
  const std::string &first_line() const { return first_; } ///< which names this dump
  /// Of the lines before the one that was read last, and how many bytes these have.
  const DumpSum &sum() const { return sum_; }
  std::uint64_t position() const { return position_; }
  const std::string &name() const { return name_; }
  std::string place(std::uint64_t line) const { return "dump " + name_ + ", line " + std::to_string(line); }

private:
  bool read_line(std::string &line);
  void read_entry(const boost::json::object &fields, Line &line);
  void read_end(const boost::json::object &fields, Line &line) const;

  Source &in_;
  const std::string name_;
  std::string held_; ///< what was read and no line has taken
  std::size_t at_ = 0;
  std::uint64_t number_ = 0, position_ = 0;
  std::string first_, base_;
  DumpSum sum_;                           ///< of the lines before the one that was read last
  std::uint64_t entries_ = 0, bytes_ = 0; ///< that one's
  std::string last_;                      ///< the line that was read last, with its end
  std::string line_;
  // The long value that is being read.
  std::string key_;
  Digest digest_;
  std::uint64_t parts_ = 0, size_ = 0;
  bool within_ = false;
};

} // namespace omnistore::jobs
