// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include <omnistore/storage.hpp>

#include "http/header_values.hpp"
#include "routes/request.hpp"

namespace omnistore::routes {

/// Returns true if the client wants bytes and not text. unstorage's client wants bytes.
bool wants_bytes(const Request &request);

/// Writes the head of a response with a value: its type, age, ttl and etag. The length is still to come.
void begin_value_head(const Request &request, Response &response, unsigned status, const Meta &meta);

/// Writes the response to a GET while the value is read: the head, and right after it the place that the driver
/// writes to, so that a value is copied once on its way from the store to the socket. A long one goes into the
/// request's pipe, piece by piece.
class ValueReader final : public Reader {
public:
  /// Thrown out of the read if the value is long, and this thread may not enter the request's pipe.
  struct LongValue {};
  /// Thrown out of the read if the value is not the one that was looked at, or if that is unknown: a store that
  /// computes the etag from the whole value gives none with a part of it.
  struct Changed {
    bool is_unknown;
  };

  /// `seen` is the value for which the range was made, if any.
  ValueReader(const Request &request, Response &response, const std::optional<http::ByteRange> &range,
              const Meta *seen = nullptr)
      : request_(request), response_(response), range_(range),
        streams_(request.route.streams.reads && request.message.pipe), seen_(seen), mark_(response.out.size()) {}

  char *begin(const Meta &meta) override;
  void write(std::string_view bytes) override;
  bool borrows() const override { return true; }
  void begin_without_place(const Meta &meta) override;
  void borrow(std::string_view bytes, std::shared_ptr<const void> loan) override;
  /// Completes the response after the value has been read.
  void finish();

  const Meta &meta() const { return meta_; }

private:
  std::optional<std::uint64_t> take(const Meta &meta);
  void put_head(std::uint64_t length);
  void put_chunked_head();
  void stream(std::string_view bytes);
  void bring_forward(std::size_t middle);

  const Request &request_;
  Response &response_;
  const std::optional<http::ByteRange> &range_;
  const bool streams_;
  const Meta *const seen_;
  bool is_long_ = false;       ///< its head is written, and it goes into the pipe
  bool is_framed_ = false;     ///< in chunks, since its length is not known
  const std::size_t mark_;     ///< the beginning of the response
  std::uint64_t expected_ = 0; ///< bytes that will be written or lent, and have no room yet
  Meta meta_;
};

} // namespace omnistore::routes
