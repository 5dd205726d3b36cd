// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "jobs/dump.hpp"

namespace omnistore::jobs {
namespace {

/// Reads an open file from its start.
class PartSource : public Source {
public:
  PartSource(int descriptor, const std::string &file) : descriptor_(descriptor), file_(file) {}
  std::size_t read(char *into, std::size_t capacity) override {
    for (;;) {
      const ssize_t got = ::pread(descriptor_, into, capacity, at_);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw Error(Status::io, "read " + file_ + ": " + std::strerror(errno));
      at_ += got;
      return static_cast<std::size_t>(got);
    }
  }

private:
  const int descriptor_;
  const std::string &file_;
  off_t at_ = 0;
};

[[noreturn]] void part_failed(const std::string &file, const char *what) {
  throw Error(Status::io, std::string(what) + " " + file + ": " + std::strerror(errno));
}

} // namespace

DumpPart::DumpPart(const std::string &file, std::string_view base, Journal::Start start)
    : file_(std::filesystem::weakly_canonical(file).string()), part_(file_ + ".part") {
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor_ < 0) part_failed(part_, "open");
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
      throw Error(Status::conflict, "another run writes this dump and has locked " + part_);
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) part_failed(part_, "stat");
    if (status.st_size > 0 && start == Journal::Start::fresh)
      throw Unfinished(Status::conflict, "an earlier run of this dump was interrupted; its part is in " + part_);
    if (status.st_size > 0 && start == Journal::Start::resume) read(base);
    if (sum.lines == 0 && ::ftruncate(descriptor_, 0) != 0) part_failed(part_, "empty");
    if (::lseek(descriptor_, 0, SEEK_END) < 0) part_failed(part_, "stat");
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

DumpPart::~DumpPart() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

/// Keeps the complete entries and drops the rest.
void DumpPart::read(std::string_view base) {
  PartSource source(descriptor_, part_);
  std::optional<DumpReader> reader;
  try {
    reader.emplace(source, part_);
  } catch (const Error &error) {
    // A short file has not even a complete first line. Any other file is not ours.
    struct stat status;
    if (error.status() == Status::corrupt && ::fstat(descriptor_, &status) == 0 && status.st_size < 512) return;
    throw;
  }
  if (reader->base() != base)
    throw Error(Status::invalid, part_ + " is a part of the dump of another base, \"" + reader->base() + "\"");
  std::uint64_t whole = 0;
  const auto keep_until_here = [&] {
    whole = reader->position();
    sum = reader->sum();
  };
  DumpReader::Line line;
  for (bool more = true; more;) {
    more = reader->next(line);
    keep_until_here(); // everything before this line
    if (!more || line.kind == DumpReader::Line::Kind::end) break;
    if (line.kind == DumpReader::Line::Kind::damaged) throw Error(Status::corrupt, line.problem + "; nothing was done");
    if (line.kind == DumpReader::Line::Kind::checkpoint) {
      cursor = line.cursor;
      known.clear();
      continue;
    }
    if (line.kind == DumpReader::Line::Kind::long_entry) {
      try {
        for (std::string bytes; reader->part(bytes);) {
        }
      } catch (const Error &) {
        break; // the dump was cut off inside this value
      }
    }
    if (line.kind != DumpReader::Line::Kind::other) known.insert(line.key);
  }
  if (::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) part_failed(part_, "shorten");
}

void DumpPart::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) part_failed(part_, "write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void DumpPart::keep() {
  // Only the owner may read it, since it contains the values. A file that it replaces keeps its mode.
  struct stat old;
  const mode_t mode = ::stat(file_.c_str(), &old) == 0 ? old.st_mode & 0777 : 0600;
  if (::fchmod(descriptor_, mode) != 0 || ::fdatasync(descriptor_) != 0 || ::rename(part_.c_str(), file_.c_str()) != 0)
    part_failed(file_, "write");
}

} // namespace omnistore::jobs
