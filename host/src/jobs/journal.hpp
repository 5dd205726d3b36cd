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

/// An interrupted run has left a journal, and the caller did not say whether to resume or to restart.
class Unfinished : public Error {
public:
  using Error::Error;
};

/// The journal of a job, from which an interrupted job resumes: a file of JSON records, one on each line, each after a
/// CRC-32. The first record identifies the job. When append() returns, the kernel has the record, so that it survives
/// any end of the program. It may not survive a power failure; run `verify` after one.
///
/// The file is locked while a Journal is open, so that no other run of the same job works at the same time.
class Journal {
public:
  enum class Start {
    fresh,  ///< there must be no journal
    resume, ///< resumes from an existing journal, if there is one
    restart ///< forgets an existing journal
  };

  /// `identity` has the properties that two runs of the same job have in common. `read` is called with each record of
  /// the interrupted run, in order. Throws Error(conflict) if another run works on the job; Unfinished, which is a
  /// conflict too, if there is a journal and `start` is fresh; Error(corrupt), which names the line, if a line before
  /// the last is damaged; and Error(invalid) if the journal is another job's.
  Journal(const std::string &file, const boost::json::object &identity, Start start,
          const std::function<void(boost::json::object &record)> &read);
  /// The file stays, unless finish() was called.
  ~Journal();
  Journal(const Journal &) = delete;
  Journal &operator=(const Journal &) = delete;

  /// Throws Error(io). [any thread]
  void append(const boost::json::object &record);
  /// Replaces the contents of the file by these records, atomically.
  void replace(const std::vector<boost::json::object> &records);
  /// Removes the file, after the job is done.
  void finish();

  const std::string &file() const { return file_; }
  /// Returns the number of records that the interrupted run had written.
  std::uint64_t found() const { return found_; }

  /// Returns the default path of a job's journal, in $XDG_STATE_HOME or else in ~/.local/state. Throws Error(invalid)
  /// if there is no home.
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
