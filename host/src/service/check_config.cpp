// SPDX-License-Identifier: Apache-2.0
#include "service/check_config.hpp"

#include <optional>
#include <utility>

#include <omnistore/storage.hpp>

#include "config/source_map.hpp"
#include "http/address.hpp"
#include "http/listener.hpp"
#include "loader/lock.hpp"
#include "routes/guard.hpp"
#include "storage/plan.hpp"

namespace omnistore::service {
namespace {

/// Returns the message without the path with which it begins, since a problem shows the path itself.
std::string without_path(const std::string &message, const std::string &path) {
  return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
}

/// Reads the files of a listener.
void check_files(const HttpConfig &settings, const http::Address &address, const std::string &field, Draft &draft) {
  const auto attempt = [&](const char *part, const auto &read) {
    if (has_problem(draft.problems, field + part, true)) return;
    try {
      read();
    } catch (const Error &error) { // which begins with the path
      const std::string message = error.what(), path = message.substr(0, message.find(": "));
      draft.add({path, without_path(message, path)});
    }
  };
  attempt(".tls", [&] { http::check_tls(settings, address, field); });
  if (!settings.token_file.empty()) attempt(".tokenFile", [&] { routes::TokenFile(settings.token_file, field); });
}

/// Returns the address of a listener that may be opened; empty if it has none, or if something is wrong with it.
std::optional<http::Address> check_listener(const HttpConfig &settings, const std::string &field, Draft &draft) {
  const std::string path = field + ".listen";
  if (settings.listen.empty() || has_problem(draft.problems, path, false)) return std::nullopt;
  try {
    http::Address address = http::parse_listen(settings.listen, field);
    check_files(settings, address, field, draft);
    // Tokens that are wrong are tokens all the same.
    if (!has_problem(draft.problems, field + ".tokens", true)) routes::Guard(settings, address, field);
    return address;
  } catch (const Error &error) {
    draft.add({path, without_path(error.what(), path)});
    return std::nullopt;
  }
}

/// Returns false if the lock file cannot be used: no plugin can then, and one problem says so.
bool check_lock(Draft &draft) {
  const std::string &lock = draft.config.plugin_lock;
  if (lock.empty()) return true;
  try {
    loader::read_lock(lock);
    return true;
  } catch (const loader::PluginError &wrong) {
    draft.add({"plugins.lock", "the lock file " + lock + " cannot be used: " + wrong.what() +
                                   (wrong.advice.empty() ? "" : "; " + wrong.advice)});
    return false;
  }
}

bool overlap(const http::Address &a, const http::Address &b) {
  const auto any = [](const http::Address &address) { return address.host == "0.0.0.0" || address.host == "::"; };
  const auto six = [](const http::Address &address) { return address.host.find(':') != std::string::npos; };
  if (a.is_unix() || b.is_unix()) return a.path == b.path;
  if (a.port == 0 || a.port != b.port) return false;
  if (a.host == b.host || a.host == "::" || b.host == "::") return true; // :: takes IPv4 too
  return six(a) == six(b) && (any(a) || any(b));
}

/// Runs `open`, and reports a failure as a problem of this path.
template <class F>
void attempt(const Config &config, const std::string &path, std::vector<Problem> &problems, F open) {
  try {
    open();
  } catch (const Error &error) {
    Problem problem{path, without_path(error.what(), path)};
    if (config.places) {
      const SourceMap::Position place = config.places->find(path);
      problem.line = place.line;
      problem.column = place.column;
    }
    problems.push_back(std::move(problem));
  }
}

} // namespace

void check_config(Draft &draft, loader::Registry &plugins) {
  if (check_lock(draft)) check_stores(draft, plugins);
  const auto data = check_listener(draft.config.http, "server.http", draft);
  const auto admin = check_listener(draft.config.admin, "admin", draft);
  if (data && admin && overlap(*data, *admin))
    draft.add({"admin.listen", admin->text() + " is taken by server.http.listen, " + data->text()});
}

std::vector<Problem> try_open(const Config &config, const std::shared_ptr<loader::Registry> &plugins) {
  std::vector<Problem> problems;
  for (const auto &each : config.mounts) {
    Config one = config;
    one.mounts = {each};
    attempt(config, each.second.store.path, problems, [&] { Storage(one, plugins); });
  }
  for (const auto &[listener, field] : {std::pair(&config.http, "server.http"), std::pair(&config.admin, "admin")})
    if (!listener->listen.empty())
      attempt(config, std::string(field) + ".listen", problems, [&, settings = listener, field = field] {
        http::check_bind(http::parse_listen(settings->listen, field), field);
      });
  return problems;
}

} // namespace omnistore::service
