// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

struct sockaddr;

namespace test {

struct Answer {
  int status = 0;                             ///< 0: the connection ended before a response was whole
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;

  std::string header(const std::string &name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string() : found->second;
  }
};

/// One raw connection. It fails after 20 seconds without a byte, so that no test hangs.
class Client {
public:
  /// `address` is "127.0.0.1:7700" or "unix:/path". `from` is the client's own address, such as "127.0.0.2".
  explicit Client(const std::string &address, const std::string &from = {});
  ~Client();
  Client(const Client &) = delete;
  Client &operator=(const Client &) = delete;

  /// False: the connection has ended.
  bool send(std::string_view bytes);
  /// Returns the next response, its body unframed.
  Answer receive(bool of_head = false);
  /// send() and receive() of "METHOD TARGET" with Host and these further header lines.
  Answer ask(const std::string &method, const std::string &target, std::string_view body = {},
             const std::string &headers = {});
  /// Returns the head of the next response alone; its body is still to come.
  Answer head();
  /// The next piece of a chunked body; empty: it has ended, or is cut off.
  std::string chunk();
  void skip(std::size_t bytes) { take(bytes); }
  /// Returns the next bytes of a body, as many as that; fewer if the connection ends before.
  std::string take_all(std::size_t bytes) { return take(bytes); }
  /// All bytes up to the connection's end.
  std::string rest();
  /// Waits for the connection's end; false: something came, or 20 seconds passed.
  bool ended();
  /// Returns true if something, or the end, comes within so many milliseconds.
  bool readable_within(int milliseconds);
  /// No more will be sent.
  void finish();
  /// Limits the bytes that have come and were not read to about so many. Call it before anything is sent.
  void hold_back(int bytes);

private:
  void connect(const sockaddr *to, unsigned size, const std::string &address);
  bool fill();
  std::string take(std::size_t count);
  std::string line();

  int socket_ = -1;
  std::string buffered_;
};

/// "METHOD TARGET HTTP/1.1" with Host, Content-Length if there is a body, and further header lines ("A: b\r\n").
std::string request(const std::string &method, const std::string &target, std::string_view body = {},
                    const std::string &headers = {});

inline std::string bearer(const std::string &token) { return "Authorization: Bearer " + token + "\r\n"; }

} // namespace test
