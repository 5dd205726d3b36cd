// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>

namespace omnistore::http {

/// The socket of a connection, over TCP or a unix socket.
using Protocol = boost::asio::generic::stream_protocol;
using Socket = Protocol::socket;

} // namespace omnistore::http
