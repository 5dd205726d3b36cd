// SPDX-License-Identifier: Apache-2.0
#include "jobs/journal.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/crc.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs/digest.hpp"

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

constexpr std::size_t sum_size = 9; // eight hexadecimal digits and a space

[[noreturn]] void journal_failed(const std::string &file, const char *what) {
  throw Error(Status::io, std::string(what) + " journal " + file + ": " + std::strerror(errno));
}

std::string sum_of(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  char digits[sum_size + 1];
  std::snprintf(digits, sizeof digits, "%08x ", crc.checksum());
  return digits;
}

std::string line_of(const json::object &record) {
  const std::string text = json::serialize(record);
  return sum_of(text) + text + "\n";
}

void write_whole(int descriptor, std::string_view text, const std::string &file) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) journal_failed(file, "write");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// Returns false if the line is damaged.
bool read_line(std::string_view line, json::object &record) {
  if (line.size() < sum_size || sum_of(line.substr(sum_size)) != line.substr(0, sum_size)) return false;
  boost::system::error_code broken;
  json::value value = json::parse({line.data() + sum_size, line.size() - sum_size}, broken);
  if (broken || !value.is_object()) return false;
  record = std::move(value.get_object());
  return true;
}

} // namespace

std::string Journal::default_file(const json::object &identity) {
  const auto variable = [](const char *name) {
    const char *value = std::getenv(name);
    return std::string(value ? value : "");
  };
  std::string state = variable("XDG_STATE_HOME");
  if (state.empty() && !variable("HOME").empty()) state = variable("HOME") + "/.local/state";
  if (state.empty())
    throw Error(Status::invalid, "there is no folder for the job's journal: neither XDG_STATE_HOME nor HOME is set");
  return state + "/omnistore/jobs/" + digest_of(json::serialize(identity)).substr(0, 16) + ".journal";
}

Journal::Journal(const std::string &file, const json::object &identity, Start start,
                 const std::function<void(json::object &)> &read)
    : file_(file), identity_(identity) {
  try {
    open();
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) journal_failed(file_, "stat");
    if (start == Start::restart || status.st_size == 0) {
      if (::ftruncate(descriptor_, 0) != 0) journal_failed(file_, "empty");
      write_whole(descriptor_, line_of(identity_), file_);
      return;
    }
    if (start == Start::fresh)
      throw Unfinished(Status::conflict, "an earlier run of this job was interrupted; its journal is " + file_);
    read_all(read);
  } catch (...) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw;
  }
}

Journal::~Journal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// Opens and locks the file. Another run may finish, and so remove the file, between the two steps.
void Journal::open() {
  const std::filesystem::path folder = std::filesystem::path(file_).parent_path();
  std::error_code failed;
  if (!folder.empty()) std::filesystem::create_directories(folder, failed);
  for (;;) {
    descriptor_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor_ < 0) journal_failed(file_, "open");
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) journal_failed(file_, "lock");
      throw Error(Status::conflict, "another run of this job has locked the journal " + file_);
    }
    struct stat mine, named;
    if (::fstat(descriptor_, &mine) == 0 && ::stat(file_.c_str(), &named) == 0 && mine.st_ino == named.st_ino &&
        mine.st_dev == named.st_dev)
      return;
    ::close(descriptor_);
    descriptor_ = -1;
  }
}

void Journal::read_all(const std::function<void(json::object &)> &read) {
  std::ifstream in(file_, std::ios::binary);
  std::uint64_t number = 0, whole = 0;
  bool torn = false;
  json::object record;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const bool ended = !in.eof();
    // Only the last line can lack its newline, if the run was interrupted while it wrote it.
    if (!ended || !read_line(line, record)) {
      if (ended)
        throw Error(Status::corrupt, "journal " + file_ + ", line " + std::to_string(number) +
                                         ": its checksum is wrong; nothing was done");
      torn = true;
      break;
    }
    whole += line.size() + 1;
    if (number == 1) {
      if (record != identity_)
        throw Error(Status::invalid, "journal " + file_ + " belongs to another job: " + json::serialize(record));
      continue;
    }
    ++found_;
    try {
      read(record);
    } catch (const std::exception &) {
      throw Error(Status::corrupt, "journal " + file_ + ", line " + std::to_string(number) +
                                       ": a record has an unknown form; nothing was done");
    }
  }
  if (!torn && number > 0) return;
  if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) journal_failed(file_, "shorten");
  if (whole == 0) write_whole(descriptor_, line_of(identity_), file_);
}

void Journal::append(const json::object &record) {
  const std::string line = line_of(record);
  const std::lock_guard lock(mutex_);
  write_whole(descriptor_, line, file_);
}

void Journal::replace(const std::vector<json::object> &records) {
  const std::string fresh = file_ + ".new";
  const std::lock_guard lock(mutex_);
  const int descriptor = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (descriptor < 0) journal_failed(fresh, "open");
  try {
    // Lock the file before it gets the name under which another run would open it.
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) journal_failed(fresh, "lock");
    std::string text = line_of(identity_);
    for (const json::object &record : records) text += line_of(record);
    write_whole(descriptor, text, fresh);
    if (::fdatasync(descriptor) != 0 || ::rename(fresh.c_str(), file_.c_str()) != 0) journal_failed(file_, "replace");
  } catch (...) {
    ::close(descriptor);
    throw;
  }
  ::close(descriptor_);
  descriptor_ = descriptor;
}

void Journal::finish() {
  const std::lock_guard lock(mutex_);
  if (::unlink(file_.c_str()) != 0) journal_failed(file_, "remove");
}

} // namespace omnistore::jobs
