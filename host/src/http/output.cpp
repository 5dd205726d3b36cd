// SPDX-License-Identifier: Apache-2.0
#include "http/output.hpp"

#include <boost/asio/buffer.hpp>

namespace omnistore::http {

Output::Result Output::send(std::string_view bytes, std::size_t &sent) {
  if (tls_) [[unlikely]]
    return send_by_tls(bytes, sent);
  while (sent < bytes.size()) {
    boost::system::error_code error;
    sent += socket_.write_some(boost::asio::buffer(bytes.data() + sent, bytes.size() - sent), error);
    if (error) return error == boost::asio::error::would_block ? Result::blocked : Result::failed;
  }
  return Result::sent;
}

Output::Result Output::send_by_tls(std::string_view bytes, std::size_t &sent) {
  while (sent < bytes.size()) {
    std::size_t count = 0;
    const tls::Session::Result result = tls_->write(bytes.substr(sent), count);
    sent += count;
    if (result != tls::Session::Result::done)
      return result == tls::Session::Result::await_output ? Result::blocked : Result::failed;
  }
  return Result::sent;
}

Output::Result Output::send() {
  constexpr std::size_t kept_memory = 64 * 1024;
  if (const Result result = send(buffer_.view(), sent_); result != Result::sent) return result;
  if (const Result result = send(lent_, sent_loan_); result != Result::sent) return result;
  forget(kept_memory);
  return Result::sent;
}

void Output::forget(std::size_t kept_memory) {
  gone_ += buffer_.size() + lent_.size();
  buffer_.clear(kept_memory);
  loan_.reset();
  lent_ = {};
  sent_ = sent_loan_ = 0;
}

} // namespace omnistore::http
