// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace omnistore::cli {

/// The files (PEM) of a client's TLS. Each may be empty.
struct TlsFiles {
  std::string ca;               ///< the authorities to trust in place of the system's
  std::string certificate, key; ///< the client's own
  std::string pinned;           ///< the host's certificate itself: no authority and no name is needed then
};

/// The client's side of TLS over a socket that does not block. Each function returns the event of poll(2) that it waits
/// for, or 0. Throws Error(unavailable, invalid) with the address.
class TlsClient {
public:
  TlsClient(int socket, const std::string &host, std::string address, const TlsFiles &files);
  ~TlsClient();
  TlsClient(const TlsClient &) = delete;
  TlsClient &operator=(const TlsClient &) = delete;

  short connect();
  short write(std::string_view bytes, std::size_t &sent);
  /// Without an event, a count of 0 is the end.
  short read(char *into, std::size_t most, std::size_t &got);

private:
  short event_of(int returned, const char *operation);

  const std::string address_;
  ssl_st *session_ = nullptr;
};

} // namespace omnistore::cli
