// SPDX-License-Identifier: Apache-2.0
#include "cli/failure.hpp"

#include <new>
#include <system_error>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <omnistore/config.hpp>

#include "cli/output.hpp"
#include "config/names.hpp"

namespace omnistore::cli {
namespace {

struct Ending {
  Status status;
  int code;
  const char *next; ///< the next step; null: the message says it
};

constexpr Ending endings[] = {
    {Status::ok, 0, nullptr},
    {Status::not_found, 1, "`omnistore ls` lists the keys that are there"},
    {Status::invalid, 2, nullptr},
    {Status::too_large, 2, nullptr},
    {Status::denied, 3, "give a token that may do this with --token or OMNISTORE_TOKEN"},
    {Status::read_only, 3, "`omnistore mounts` shows which mounts take writes"},
    {Status::conflict, 4, "look at it again with `omnistore meta KEY`, which also gives its etag"},
    {Status::unsupported, 5, "`omnistore mounts` shows what each mount can do"},
    {Status::timeout, 6, "try again"},
    {Status::unavailable, 6, "see that it runs and can be reached, and try again"},
    {Status::no_space, 7, "make room, or raise the store's limit"},
    {Status::io, 7, nullptr},
    {Status::corrupt, 7, nullptr},
    {Status::internal, 7, nullptr},
};

const Ending &ending(Status status) {
  for (const Ending &each : endings)
    if (each.status == status) return each;
  return endings[std::size(endings) - 1];
}

std::string next_step(const Error &error) {
  if (const auto *failure = dynamic_cast<const Failure *>(&error)) return failure->next();
  if (dynamic_cast<const ConfigError *>(&error)) return "`omnistore check` looks at it again without opening anything";
  const char *next = ending(error.status()).next;
  return next ? next : "";
}

boost::json::object as_json(const Error &error, const std::string &message, const std::string &next) {
  boost::json::object result{{"status", status_name(error.status())}, {"message", message}};
  if (!next.empty()) result["next"] = next;
  if (const auto *config = dynamic_cast<const ConfigError *>(&error)) result["problems"] = to_json(config->problems());
  return {{"error", std::move(result)}};
}

/// A failure that nothing below has given words to.
Error in_words(const std::exception &failure) {
  if (dynamic_cast<const std::bad_alloc *>(&failure)) return {Status::no_space, "out of memory"};
  const auto *system = dynamic_cast<const std::system_error *>(&failure);
  if (system && system->code() == std::errc::resource_unavailable_try_again) {
    return {Status::unavailable, "no thread can be started: the system's limit is reached (ulimit -u)"};
  }
  return {Status::internal, failure.what()};
}

} // namespace

int exit_code(Status status) noexcept { return ending(status).code; }

int report(const Global &global, const std::exception &failure) {
  const auto *known = dynamic_cast<const Error *>(&failure);
  const Error unknown = in_words(failure);
  const Error &error = known ? *known : unknown;
  const std::string message = config::without_passwords(error.what());
  const std::string next = next_step(error);
  if (global.json) {
    complain(boost::json::serialize(as_json(error, message, next)));
  } else {
    complain(paint(Colour::red, "omnistore:", 2) + " " + message);
    if (!next.empty()) complain("  " + next);
  }
  return exit_code(error.status());
}

} // namespace omnistore::cli
