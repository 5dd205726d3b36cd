// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/error.hpp>

namespace omnistore::jobs {

/// There is a journal of a run that was cut off, and nobody said what to do with it.
class Unfinished : public Error {
public:
  using Error::Error;
};

/// What a job writes down while it works, so that one that was cut off can go on: a file of JSON records, a line each,
/// with a CRC-32 in front of each line. The first says which job it is. A record is in the kernel's hands when append()
/// returns: it outlives the program, however that ends. Power cuts are the affair of the stores' durability: after one,
/// look with `verify`.
///
/// While a Journal is open its file is locked, so that no other run of the same job works beside it.
class Journal {
public:
  enum class Start {
    fresh,  ///< there must be none
    resume, ///< goes on with the one that is there, or begins
    restart ///< one that is there is forgotten
  };

  /// `identity` is what two runs must have in common to be one job. Throws Error(conflict) where another run works on
  /// it; Unfinished, which is a conflict too, where there is one and `start` is fresh; Error(corrupt) naming the line
  /// that is damaged, where that is not the last; Error(invalid) where it is another job's. `read` gets each record of
  /// the run that was cut off, in order.
  Journal(const std::string &file, const boost::json::object &identity, Start start,
          const std::function<void(boost::json::object &record)> &read);
  /// The file stays, unless finish() was called.
  ~Journal();
  Journal(const Journal &) = delete;
  Journal &operator=(const Journal &) = delete;

  /// Throws Error(io). [any thread]
  void append(const boost::json::object &record);
  /// Puts these records in place of all that the file has, as one step.
  void replace(const std::vector<boost::json::object> &records);
  /// The job is done: the file goes.
  void finish();

  const std::string &file() const { return file_; }
  /// How many records the run that was cut off had written.
  std::uint64_t found() const { return found_; }

  /// Where a job's journal lies when nobody says: in $XDG_STATE_HOME, else ~/.local/state. Throws Error(invalid) where
  /// there is no home.
  static std::string default_file(const boost::json::object &identity);

private:
  void open();
  void read_all(const std::function<void(boost::json::object &)> &read);

  const std::string file_;
  const boost::json::object identity_;
  std::mutex mutex_;
  int descriptor_ = -1;
  std::uint64_t found_ = 0;
};

} // namespace omnistore::jobs
