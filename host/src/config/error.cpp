// SPDX-License-Identifier: Apache-2.0
#include <omnistore/config.hpp>
#include <omnistore/error.hpp>

#include "base/printable.hpp"

namespace omnistore {

namespace {

std::string summary(const std::string &file, const std::vector<Problem> &problems) {
  std::string out = file.empty() ? "config:" : base::printable(file) + ":";
  for (const auto &problem : problems) out += "\n  " + problem.text();
  return out;
}

} // namespace

std::string_view status_name(Status status) noexcept {
  switch (status) {
  case Status::ok:
    return "ok";
  case Status::not_found:
    return "not_found";
  case Status::invalid:
    return "invalid";
  case Status::denied:
    return "denied";
  case Status::read_only:
    return "read_only";
  case Status::conflict:
    return "conflict";
  case Status::too_large:
    return "too_large";
  case Status::unsupported:
    return "unsupported";
  case Status::timeout:
    return "timeout";
  case Status::cancelled:
    return "cancelled";
  case Status::unavailable:
    return "unavailable";
  case Status::no_space:
    return "no_space";
  case Status::io:
    return "io";
  case Status::corrupt:
    return "corrupt";
  case Status::internal:
    return "internal";
  }
  return "internal"; // an unknown status of a plugin
}

std::string Problem::text() const {
  std::string out = path.empty() ? std::string() : base::printable(path) + ": ";
  out += base::printable_lines(message);
  if (line == 0) return out;
  out += " (line " + std::to_string(line);
  if (column != 0) out += ", column " + std::to_string(column);
  return out + ")";
}

ConfigError::ConfigError(const std::string &file, std::vector<Problem> problems)
    : Error(Status::invalid, summary(file, problems)), problems_(std::move(problems)) {}

} // namespace omnistore
