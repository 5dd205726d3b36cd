// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "http/buffer.hpp"
#include "http/socket.hpp"
#include "tls/tls.hpp"

namespace omnistore::http {

/// The responses of a connection on their way to its socket. Responses to requests that came together go out together.
class Output {
public:
  /// `tls` is the connection's TLS; null: it has none.
  Output(Socket &socket, tls::Session *tls, MemoryBudget *memory) : socket_(socket), tls_(tls), buffer_(memory) {}

  /// Responses are appended here.
  Buffer &buffer() { return buffer_; }
  bool empty() const { return buffer_.empty() && !loan_; }
  std::string_view unsent() const { return buffer_.view().substr(sent_); }
  /// Returns how many bytes have been sent since the output was empty.
  std::size_t sent() const { return sent_ + sent_loan_; }
  /// Returns how many bytes there were on this connection so far, sent or not.
  std::uint64_t total() const { return gone_ + buffer_.size() + lent_.size(); }

  /// Sends bytes that a store lends after what the buffer holds. Nothing may be appended until all has been sent.
  void lend(std::string_view bytes, std::shared_ptr<const void> loan) {
    lent_ = bytes;
    loan_ = std::move(loan);
  }

  enum class Result { sent, blocked, failed };
  /// Sends as much as the socket takes. `blocked` means that the socket takes no more now.
  Result send();
  /// Drops what has not been sent, and gives all memory back.
  void release() { forget(0); }

private:
  Result send(std::string_view bytes, std::size_t &sent);
  Result send_by_tls(std::string_view bytes, std::size_t &sent);
  void forget(std::size_t kept_memory);

  Socket &socket_;
  tls::Session *const tls_;
  Buffer buffer_;
  std::size_t sent_ = 0; ///< of the buffer
  std::string_view lent_;
  std::shared_ptr<const void> loan_;
  std::size_t sent_loan_ = 0;
  std::uint64_t gone_ = 0; ///< bytes that were here before
};

} // namespace omnistore::http
