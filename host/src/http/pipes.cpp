// SPDX-License-Identifier: Apache-2.0
#include "http/pipes.hpp"

#include <omnistore/error.hpp>

namespace omnistore::http {

bool ResponsePipe::enter() {
  if (!counted_) driver_piece_.add(stream_piece);
  counted_ = true;
  return entered_ || (entered_ = enter_());
}

void ResponsePipe::give(Buffer &piece) {
  used_ = true;
  if (!PieceChannel::give(piece)) throw Error(Status::unavailable, "the client went away");
  ready_();
}

} // namespace omnistore::http
