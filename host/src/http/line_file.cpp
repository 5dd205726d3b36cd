// SPDX-License-Identifier: Apache-2.0
#include "http/line_file.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace omnistore::http {

namespace {

base::Descriptor open_to_append(const std::string &path) {
  base::Descriptor file(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!file) throw std::system_error(errno, std::generic_category(), path);
  return file;
}

} // namespace

LineFile::LineFile(std::string path) : path_(std::move(path)), file_(open_to_append(path_)) {}

void LineFile::write(std::string_view line) noexcept {
  if (::write(file_.number(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    lost_.fetch_add(1, std::memory_order_relaxed);
}

void LineFile::reopen() {
  const base::Descriptor fresh = open_to_append(path_);
  if (::dup3(fresh.number(), file_.number(), O_CLOEXEC) < 0)
    throw std::system_error(errno, std::generic_category(), path_);
}

} // namespace omnistore::http
