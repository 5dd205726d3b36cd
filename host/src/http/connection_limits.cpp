// SPDX-License-Identifier: Apache-2.0
// The limits on what one client takes, by its address and by its token.
#include <string>

#include "http/connection.hpp"
#include "http/reply.hpp"

namespace omnistore::http {

namespace {

/// Addresses of IPv6 count by their network, of 64 bits: a client has all of it.
std::string client_of(const boost::asio::ip::address &address) {
  if (!address.is_v6()) return address.to_string();
  auto bytes = address.to_v6().to_bytes();
  for (std::size_t i = 8; i < bytes.size(); ++i) bytes[i] = 0;
  return boost::asio::ip::make_address_v6(bytes).to_string();
}

} // namespace

/// Counts the connection. Returns false if its address has too many. Clients of a unix socket have no address.
bool Connection::admit_address() {
  if (!loop_.parts.per_address || peer_.name() == "unix") return true;
  of_address_ = loop_.parts.per_address->open(client_of(peer_.address()));
  return of_address_ != nullptr;
}

bool Connection::refuse_client(unsigned seconds, Response &response, std::string_view whose) {
  reply_error(request_, response, 429, "Too many requests, or bytes, came " + std::string(whose),
              "Retry-After: " + std::to_string(seconds) + "\r\n");
  return false;
}

/// Counts the request for its address. Returns false if it was refused.
bool Connection::admit_by_address(Response &response) {
  if (!of_address_ || phase_ == Phase::judged) return true;
  const unsigned wait = loop_.parts.per_address->take_request(of_address_->client());
  request_.grant_origin = {}; // which the request before had
  return wait == 0 || refuse_client(wait, response, "from this address");
}

/// Counts the request, and if it is the first one the connection, for its token. Returns false if it was refused.
bool Connection::admit_by_token(Response &response) {
  if (request_.identity.empty()) return true;
  if (!of_token_ || of_token_->client() != request_.identity)
    of_token_ = loop_.parts.per_token->open(request_.identity);
  if (!of_token_) return refuse_client(1, response, "by this token: it has too many connections");
  const unsigned wait = loop_.parts.per_token->take_request(of_token_->client());
  return wait == 0 || refuse_client(wait, response, "by this token");
}

/// Adds the bytes of the request at hand and of its response to what the client owes.
void Connection::count_bytes() {
  const std::uint64_t moved = output_.total() + received_;
  for (const auto &slot : {of_address_, of_token_})
    if (slot) slot->add_bytes(moved - counted_);
  counted_ = moved;
}

} // namespace omnistore::http
