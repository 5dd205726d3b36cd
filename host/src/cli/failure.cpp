// SPDX-License-Identifier: Apache-2.0
#include "cli/failure.hpp"

#include <algorithm>
#include <initializer_list>
#include <new>
#include <system_error>

#include <boost/json/object.hpp>
#include <pwd.h>
#include <unistd.h>

#include <omnistore/config.hpp>

#include "base/printable.hpp"
#include "cli/host_failure.hpp"
#include "cli/log.hpp"
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
    {Status::denied, 3, nullptr},
    {Status::read_only, 3, "`omnistore mounts` shows which mounts take writes"},
    {Status::conflict, 4, "look at it again with `omnistore meta KEY`, which also gives its etag"},
    {Status::unsupported, 5, "`omnistore mounts` shows what each mount can do"},
    {Status::timeout, 6, "try again"},
    {Status::cancelled, 6, "try again"},
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

std::string next_step(const Error &error, bool remote) {
  if (const auto *failure = dynamic_cast<const Failure *>(&error)) return failure->next();
  if (dynamic_cast<const ConfigError *>(&error)) return "`omnistore check` looks at it again without opening anything";
  return remote ? host_advice(error.status(), error.what()) : advice_on(error.status(), error.what(), false);
}

std::string user_name() {
  const uid_t user = ::geteuid();
  const passwd *entry = ::getpwuid(user);
  return entry ? entry->pw_name : std::to_string(user);
}

/// The backend's own words say who refused, and so what can be done.
std::string advice_on_denied(const std::string &message, bool remote) {
  const auto says = [&](std::initializer_list<const char *> words) {
    return std::any_of(words.begin(), words.end(),
                       [&](const char *word) { return message.find(word) != std::string::npos; });
  };
  if (says({"WRONGPASS", "NOAUTH", "ERR AUTH", "ERR invalid password"}))
    return "check the user and the password in the option `url` of this mount";
  if (says({"NOPERM"}))
    return "allow it to this user of Redis (ACL SETUSER), or name another one in the option `url` of this mount";
  if (says({"driver http"}) && says({" with 401", " with 403", " with 407"}))
    return "give this server a token: --token, --from-token or --to-token if it is an end of a job, else the option "
           "`headers` of this mount";
  if (!says({"ermission denied", "peration not permitted"})) return "";
  return (remote || says({"driver http"}) ? "the user that the host runs as" : "the user " + user_name()) +
         " needs permission for that file and its folders";
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

std::string advice_on(Status status, const std::string &message, bool remote) {
  if (status == Status::denied) return advice_on_denied(message, remote);
  const char *next = ending(status).next;
  return next ? next : "";
}

int exit_code(Status status) noexcept { return ending(status).code; }

int report(const Global &global, const std::exception &failure) {
  const auto *known = dynamic_cast<const Error *>(&failure);
  const Error unknown = in_words(failure);
  const Error &error = known ? *known : unknown;
  const std::string message =
      without_kept_secrets(global.remote() ? as_host_message(global.command, error.what()) : error.what());
  const std::string next = next_step(error, global.remote());
  if (global.json) {
    complain_json(as_json(error, message, next));
  } else {
    complain(paint(Colour::red, "omnistore:", 2) + " " + base::printable_lines(message));
    if (!next.empty()) complain("  " + base::printable(next));
  }
  return exit_code(error.status());
}

void SkippedPlaces::tell(const std::vector<Skipped> &places) {
  for (const Skipped &place : places) {
    if (!told_.insert(place.base).second) continue;
    const int code = report(global_, Error(place.status, place.message + "; its keys are left out"));
    if (code_ == 0) code_ = code;
  }
}

} // namespace omnistore::cli
