// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "service/reloader.hpp"

namespace omnistore::service {

/// Sockets that listen already, from the process that started this one. Each takes the place of the address in the
/// config. -1: none.
struct Sockets {
  int http = -1, admin = -1;
};

/// The listeners of a host: the data listener serves a storage's keys over HTTP, and the admin listener shows the state
/// of the host. Each has threads of its own, and operations that may wait run on further ones, so that a slow store
/// delays no other connection and not the admin listener.
///
/// start, stop and the destructor are for one thread; the addresses may be read on any.
class Server {
public:
  /// Binds the listeners that the config names, and does not accept yet. Throws Error(invalid, denied, unavailable)
  /// with address and reason: "127.0.0.1:7700: Address already in use; ...". `reloader` must outlive it.
  explicit Server(Reloader &reloader, const Sockets &sockets = {});
  /// Stops without patience if stop() was not called.
  ~Server();
  Server(const Server &) = delete;
  Server &operator=(const Server &) = delete;

  /// Returns "127.0.0.1:7700", with the port that was really bound; empty if the config has no such listener.
  std::string http_address() const;
  std::string admin_address() const;
  /// Returns "http://127.0.0.1:7700", "https://127.0.0.1:7700" or "unix:/path"; empty if there is no such listener.
  std::string http_url() const;
  std::string admin_url() const;

  /// Returns a link to the page that logs a browser in once, within ten minutes; empty without an admin listener that
  /// browsers reach.
  std::string page_link();

  /// Reads the files again that the listeners use beside the config: certificates, tokens and logs. `config` is the one
  /// that is in effect. Logs it if they cannot be used. On any thread.
  void reload_files(const Config &config);

  /// Accepts from now on, on threads of its own; returns at once.
  void start();
  /// Accepts no more, closes idle connections, finishes requests in flight for up to `patience`, then closes the rest
  /// and joins the threads. Returns false if connections were cut off. It returns when the last call into a driver has,
  /// so a program that must end in time runs it on a thread of its own, and ends by _exit if it does not return.
  bool stop(std::chrono::milliseconds patience);
  /// Returns how many are open. On any thread.
  std::uint64_t connections() const;
  /// Returns true if the thread that accepts connections responds within this time. Not before start() or after stop().
  bool responds(std::chrono::milliseconds within);

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::service
