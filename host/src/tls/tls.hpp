// SPDX-License-Identifier: Apache-2.0
// Both sides of TLS. OpenSSL is not in the program but in a module, which is loaded with the first certificate or
// https:// address: it would add milliseconds to each start. It uses the system's OpenSSL, and has its updates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/config.hpp>

namespace omnistore::tls {

/// The certificate that a client has presented, signed by one of the listener's authorities.
struct ClientCertificate {
  /// The whole subject as RFC 2253 writes it ("CN=backup,O=Example"), and each alternative name with its kind
  /// ("DNS:backup.example", "URI:...", "email:...").
  std::vector<std::string> names;

  bool has(std::string_view name) const {
    for (const std::string &one : names)
      if (one == name) return true;
    return false;
  }
};

/// A listener's side of one connection, over a socket that does not block and that somebody else owns. For one thread
/// at a time.
class Session {
public:
  virtual ~Session() = default;

  enum class Result {
    done,
    await_input,  ///< the socket must become readable first
    await_output, ///< the socket must take bytes first
    ended,        ///< the client has ended the connection, or it is broken
    plain         ///< of handshake(): the client speaks HTTP without TLS
  };
  virtual Result handshake() = 0;
  /// Reads at most `most` bytes. After `await_input` nothing that was received is left here.
  virtual Result read(char *into, std::size_t most, std::size_t &count) = 0;
  /// Sends some of the bytes, which must not be none. After `await_output` the next call must begin with the same
  /// bytes.
  virtual Result write(std::string_view bytes, std::size_t &count) = 0;
  /// Sends the client the end of the session, if the socket takes that now.
  virtual void end() = 0;

  /// Returns the client's certificate after the handshake; null if there is none.
  const ClientCertificate *certificate() const { return certificate_.get(); }
  /// Returns OpenSSL's reason after a handshake that has failed; null if it gave none.
  const char *failure() const { return failure_; }

protected:
  std::unique_ptr<ClientCertificate> certificate_;
  const char *failure_ = nullptr;
};

/// The certificate of a listener, and the authorities for those of its clients. Thread-safe.
class Context {
public:
  virtual ~Context() = default;

  /// Reads the files that `config` names, for the connections that begin from now on. Returns true if the certificate
  /// is another one than before. Throws as Module::listen does, and keeps what it had.
  virtual bool reload(const HttpConfig::Tls &config) = 0;
  /// Until when the certificate is valid.
  struct End {
    std::int64_t time; ///< Unix seconds
    std::string text;  ///< "Jan  1 00:00:00 2027 GMT"
  };
  virtual End end() const = 0;
  /// Begins TLS on a socket. Returns null if there is no memory for it. `held` lives as long as the session.
  virtual std::unique_ptr<Session> begin(int socket, std::shared_ptr<const void> held) const = 0;
};

/// The memory that OpenSSL takes for a connection, between that of an idle and that of a busy one.
inline constexpr std::size_t memory_of_session = 24 * 1024;

/// The files (PEM) of a client's TLS. Each may be empty.
struct ClientFiles {
  std::string ca;               ///< the authorities to trust in place of the system's
  std::string certificate, key; ///< the client's own
  std::string pinned;           ///< the host's certificate itself: no authority and no name is needed then
};

/// A client's side, over a socket that does not block. Each function returns the event of poll(2) that it waits for, or
/// 0. Throws Error(unavailable, invalid) with the address.
class Client {
public:
  virtual ~Client() = default;
  virtual short connect() = 0;
  virtual short write(std::string_view bytes, std::size_t &sent) = 0;
  /// Without an event, a count of 0 is the end.
  virtual short read(char *into, std::size_t most, std::size_t &got) = 0;
};

struct Module {
  const char *version; ///< of the Omnistore that it was built with
  /// Reads the files. Throws Error with the field, the file and the reason. `field` is the listener's, "server.http".
  std::unique_ptr<Context> (*listen)(const HttpConfig::Tls &config, const std::string &field);
  /// `address` is for messages.
  std::unique_ptr<Client> (*connect)(int socket, const std::string &host, const std::string &address,
                                     const ClientFiles &files);
};

/// Returns the module, and loads it with the first call. Thread-safe. Throws Error(unavailable) with the file if that
/// is missing, cannot be loaded, or is of another version.
const Module &module();

} // namespace omnistore::tls
