// SPDX-License-Identifier: Apache-2.0
// The client at the other end of a connection.
#pragma once

#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <sys/types.h>

namespace omnistore::http {

/// The two ends of a connection: `from` is the client's.
struct Ends {
  boost::asio::ip::tcp::endpoint from, to;
};

/// The client of a connection. For the connection's thread.
class Peer {
public:
  /// `socket` is the host's end, which must stay open for as long as this is used; -1: there is none, so that nothing
  /// is known of its client.
  explicit Peer(int socket = -1) : socket_(socket) {}

  /// The client's address; 0.0.0.0 if it has gone, or came through a unix socket.
  boost::asio::ip::address address() const;

  /// Returns the address as a text, or "unix" if the client came through a unix socket. After a first call on the
  /// connection's thread, any thread may call it.
  const std::string &name();

  /// Returns the user of this machine who opened the client's socket, which the kernel knows; nullopt if it does not
  /// know the user, or if the client is elsewhere or has closed its socket. A call queries the kernel, which takes
  /// about 10 microseconds, until it has returned a user once.
  std::optional<uid_t> user();
  /// Returns the user if user() has found it before.
  std::optional<uid_t> known_user() const { return user_; }

  /// Opens what user() needs, so that it works also when the process may open no more files. On any thread.
  static void prepare();

private:
  std::optional<Ends> ends() const;

  int socket_;
  std::optional<uid_t> user_;
  std::string name_;
};

/// The user whose socket on this machine has these ends, as one of the kernel's two interfaces says: sock_diag(7),
/// which finds one socket at once, or the tables below /proc/self/net, which list all of them and exist even if the
/// first one does not. Returns nullopt if there is no such open socket, or no such interface.
std::optional<uid_t> user_from_diag(const Ends &ends);
std::optional<uid_t> user_from_table(const Ends &ends);

} // namespace omnistore::http
