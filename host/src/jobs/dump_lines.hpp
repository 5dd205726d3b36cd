// SPDX-License-Identifier: Apache-2.0
// Writes and reads the lines of a dump (FORMAT.md).
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "jobs/digest.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

constexpr std::size_t dump_id_bytes = 16;
constexpr std::size_t dump_part = 256 * 1024; ///< the bytes of a long value on one line

/// The sums of a dump so far, which its last line records.
struct DumpSum {
  std::uint64_t entries = 0, bytes = 0, lines = 0;
  Digest digest;

  void add_line(std::string_view line); ///< `line` includes its newline
};

/// Writes a dump. Each thread serialises its own entries and writes them under a lock. [any thread]
class DumpWriter {
public:
  /// `out` receives the bytes in order, from one thread at a time; its exceptions pass to the writing thread. `begun`
  /// is the part that a resumed dump already has.
  explicit DumpWriter(std::function<void(std::string_view)> out, DumpSum begun = {});

  /// Returns the dump's id. `handshake` says if a restore is to take part in a handshake.
  std::string header(std::string_view base, bool handshake);
  void handshake(const char *step, std::string_view message = {});
  /// Writes entries whose values are loaded. `keys` are relative to the base.
  void entries(std::span<const std::string_view> keys, std::span<const StoredValue *const> values);
  void checkpoint(std::string_view cursor);
  void finish();

  /// Writes a long value in pieces, and holds the writer's lock while it lives. Without a call of end(), nobody can
  /// read the dump beyond this value, so that the dump must fail.
  class Long {
  public:
    Long(DumpWriter &dump, std::string_view key, const StoredValue &known);
    void add(std::string_view bytes);
    void end();

  private:
    void part(std::string_view bytes);
    DumpWriter &dump_;
    std::unique_lock<std::mutex> lock_;
    std::string key_, buffer_;
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

/// Reads a dump line by line. For one thread at a time.
class DumpReader {
public:
  struct Line {
    enum class Kind {
      entry,
      long_entry, ///< part() reads its value
      checkpoint, ///< `cursor` is set
      handshake,  ///< if the dump refuses the restore, `problem` says why
      other,      ///< a kind that this program does not know
      damaged,    ///< `problem` says why; the next line may be valid
      end         ///< the last line, and all checksums are right
    };
    Kind kind = Kind::other;
    bool is_last = false;     ///< it is the last line, valid or damaged
    std::uint64_t number = 0; ///< counted from 1
    std::string key;
    StoredValue value; ///< the value of an entry
    std::string cursor, problem;
  };

  /// Reads the first line. Throws Error(corrupt) if this is not a dump, and Error(unsupported) if it has a newer
  /// version. `name` is for messages.
  DumpReader(Source &in, std::string name);

  /// Returns false after the last line. If that was not of kind `end`, the dump was cut off.
  bool next(Line &line);
  /// Reads the next piece of a long value. Returns false at its end, if its checksum is right. Throws Error(corrupt).
  bool part(std::string &bytes);
  /// Skips the rest of a long value.
  void skip_long();

  /// Returns true if the dump takes part in a handshake. settle_handshake() then comes before next(). It reads the
  /// handshake's lines if there are any, and returns the reason for which the dump refuses the restore, or "".
  bool wants_handshake() const { return wants_handshake_; }
  std::string settle_handshake();

  const std::string &id() const { return id_; }
  const std::string &base() const { return base_; }
  const std::string &first_line() const { return first_; } ///< it identifies this dump
  /// Return the sums of the lines before the one that was read last, and the number of their bytes.
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
  std::string buffer_; ///< bytes that were read and belong to no line yet
  std::size_t at_ = 0;
  std::uint64_t number_ = 0, position_ = 0;
  std::string first_, id_, base_;
  bool wants_handshake_ = false;
  std::optional<Line> pending_;           ///< it was read, and next() has not returned it
  DumpSum sum_;                           ///< the lines before the one that was read last
  std::uint64_t entries_ = 0, bytes_ = 0; ///< the line that was read last
  std::string last_;                      ///< the line that was read last, with its newline
  std::string line_;
  // The long value in progress.
  std::string key_;
  Digest digest_;
  std::uint64_t parts_ = 0, size_ = 0;
  bool in_long_ = false;
};

} // namespace omnistore::jobs
