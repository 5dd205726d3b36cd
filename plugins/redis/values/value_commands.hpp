// SPDX-License-Identifier: Apache-2.0
// Builds the commands for single values. Replies are read by replies.hpp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <omnistore/driver.hpp>

#include "connection/commands.hpp"
#include "values/layout.hpp"
#include "values/replies.hpp"
#include "values/script.hpp"

namespace redis {

/// Thread-safe.
class ValueCommands {
public:
  explicit ValueCommands(const Layout &layout) : layout_(layout) {}

  const Scripts &scripts() const { return scripts_; }

  /// Returns the key of Redis for a key.
  KeyParts full(std::string_view key) const { return layout_.value(key); }
  /// Returns the key of Redis for the user meta of a key, with the end "$", or for its binding (script.hpp), with "$$".
  KeyParts meta(std::string_view key, std::string_view end) const { return layout_.meta(key, end); }
  /// In a cluster, the following commands go to the server that has this key.
  void route(Commands &commands, std::string_view key) const {
    if (layout_.is_cluster()) commands.route(layout_.slot(key));
  }

  /// Returns true if the server decides a set by a script. Any other set is UNLINK and SET.
  static bool takes_script(const omnistore_set_request &request) {
    return request.condition != OMNISTORE_ALWAYS || request.user.size != 0;
  }

  /// Returns the condition of a set in the form that the script `set` takes.
  static KeyParts condition_of(const omnistore_set_request &request) {
    if (request.condition == OMNISTORE_IF_MATCH) return {"=", omnistore::as_view(request.etag)};
    return {request.condition == OMNISTORE_IF_ABSENT    ? "NX"
            : request.condition == OMNISTORE_IF_PRESENT ? "XX"
                                                        : "",
            ""};
  }

  /// Adds EVAL or EVALSHA of a script for a key.
  template <class... Arguments>
  void add_script(Commands &commands, std::string_view command, std::string_view script, std::string_view key,
                  const Arguments &...arguments) const {
    route(commands, key);
    if (may_have_user(key))
      commands.add(command, script, 3, full(key), meta(key, "$"), meta(key, "$$"), arguments...);
    else
      commands.add(command, script, 1, full(key), arguments...);
  }

  /// Adds commands that request a value, its expiry and, if the request wants it, its user meta. give_got() reads their
  /// replies.
  void add_get_with_meta(Commands &commands, std::string_view key, const omnistore_get_request &request) const {
    route(commands, key);
    commands.multi().add("GET", full(key)).add("PEXPIRETIME", full(key));
    if (wants_user(request) && may_have_user(key)) commands.add("MGET", meta(key, "$"), meta(key, "$$"));
    commands.exec();
  }

  /// Adds commands that request a value's meta. The server runs them in one step.
  void add_stat(Commands &commands, std::string_view key, const omnistore_get_request &request) const {
    if (wants_user(request) && may_have_user(key))
      add_script(commands, "EVAL", scripts_.stat_with_user.text, key, OMNISTORE_MAX_USER_SIZE);
    else if (wants_meta(request))
      add_script(commands, "EVAL", scripts_.stat.text, key);
    else
      route(commands, key), commands.multi().add("STRLEN", full(key)).add("PEXPIRETIME", full(key)).exec();
  }

  /// Adds a set. The last reply is its outcome; the other replies must be no errors.
  void add_set(Commands &commands, std::string_view key, const omnistore_set_request &request,
               std::int64_t expiry) const {
    if (takes_script(request)) {
      add_script(commands, "EVAL", scripts_.set.text, key, condition_of(request), omnistore::as_view(request.value),
                 expiry, omnistore::as_view(request.user));
      return;
    }
    add_remove_user(commands, key);
    commands.begin(expiry != 0 ? 5 : 3);
    commands.word("SET");
    commands.word(full(key));
    commands.word(omnistore::as_view(request.value));
    if (expiry != 0) commands.word("PXAT"), commands.word(expiry);
  }

  /// Adds a removal. The user meta is removed first, so that the last change that watchers see is that of the value.
  void add_remove(Commands &commands, std::string_view key) const {
    add_remove_user(commands, key);
    commands.add("UNLINK", full(key));
  }
  void add_remove_user(Commands &commands, std::string_view key) const {
    route(commands, key);
    if (!may_have_user(key)) return;
    // While a slot of a cluster moves, a command with several keys that do not all exist is refused.
    if (layout_.is_cluster())
      commands.add("UNLINK", meta(key, "$")).add("UNLINK", meta(key, "$$"));
    else
      commands.add("UNLINK", meta(key, "$"), meta(key, "$$"));
  }

  /// Adds a command with the keys of a batch.
  void add_keys(Commands &commands, std::string_view name, std::span<const omnistore_bytes> keys) const {
    commands.begin(1 + keys.size());
    commands.word(name);
    for (const omnistore_bytes &key : keys) commands.word(full(omnistore::as_view(key)));
  }

private:
  const Layout &layout_;
  const Scripts scripts_;
};

} // namespace redis
