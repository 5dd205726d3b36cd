// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include "http/buffer.hpp"

namespace omnistore::http {

/// The responses of a connection on their way to its socket. Responses to requests that came together go out together.
class Output {
public:
  Output(boost::asio::ip::tcp::socket &socket, MemoryBudget *memory) : socket_(socket), buffer_(memory) {}

  /// Responses are appended here.
  Buffer &buffer() { return buffer_; }
  bool empty() const { return buffer_.empty() && !loan_; }
  std::string_view unsent() const { return buffer_.view().substr(sent_); }
  /// Returns how many bytes have been sent since the output was empty.
  std::size_t sent() const { return sent_ + sent_loan_; }

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
  void forget(std::size_t kept_memory);

  boost::asio::ip::tcp::socket &socket_;
  Buffer buffer_;
  std::size_t sent_ = 0; ///< of the buffer
  std::string_view lent_;
  std::shared_ptr<const void> loan_;
  std::size_t sent_loan_ = 0;
};

} // namespace omnistore::http
