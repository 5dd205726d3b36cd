// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "http/limiter.hpp"
#include "http/loop.hpp"
#include "http/message.hpp"
#include "http/output.hpp"
#include "http/pace.hpp"
#include "http/peer.hpp"
#include "http/pool_work.hpp"
#include "http/request_reader.hpp"
#include "http/socket.hpp"
#include "tls/tls.hpp"

namespace omnistore::http {

/// One client's connection: reads requests, has them served one after the other, and sends the responses. At any time
/// it waits for one thing alone: input, room for output, or the worker pool. Only while a long body comes in, a thread
/// of the pool stores what has come. A connection on which events begin leaves its loop.
///
/// Four classes do the work: RequestReader reads requests off the bytes, PoolWork runs what may wait, Output sends, and
/// Pace says how long each may take. This class decides what comes next: each phase has one function, which returns
/// true if the next phase can begin at once.
class Connection : public std::enable_shared_from_this<Connection> {
public:
  static constexpr std::string_view not_its_turn =
      "This store had no thread free in half of the request's time; nothing was done";

  static constexpr std::chrono::seconds work_grace{1}; ///< for a driver to notice that its time is up

  Connection(Loop &loop, Socket socket, bool refused);

  void start();
  /// Closes it if it is later than it may be.
  void check_time();
  /// Closes it if it is idle, or else after the response to the request at hand. If `patient`, leaves it open for its
  /// first request.
  void stop(bool patient);
  void close();

  bool refused() const { return refused_; }
  Loop &loop() const { return loop_; }
  std::size_t index = 0; ///< among the loop's connections

  // For PoolWork, on the loop's thread.
  void responded(const Response &response);
  void pipe_ready();
  void part_written(bool failed, bool is_last);

private:
  enum class Phase {
    handshake,  ///< TLS begins
    head,       ///< reading a head
    checking,   ///< another thread checks the request's credentials
    judged,     ///< and has done so
    body,       ///< reading a body
    body_piped, ///< reading a long body while the store takes it, or waiting until the store has
    respond,    ///< the request is complete
    work,       ///< a thread of the pool serves it
    stream,     ///< a part of a long response goes out
    piped,      ///< a long value goes out as the store gives it
    lent,       ///< a long value goes out that the store lends
    held,       ///< the response to a wrong token is held back
    last_write, ///< the last bytes go out
    linger,     ///< waiting until the client has read them
    closed
  };

  void proceed();
  void no_memory();
  bool step();
  bool handshake();
  void refuse_connection();
  bool read_head();
  bool begin_request();
  bool check_credentials();
  bool read_body();
  bool pipe_body();
  bool respond();
  bool stream();
  bool pipe_response();
  bool send_lent();
  bool last_write();

  bool too_busy(std::string_view message);
  void end_work();
  void finish_response(const Response &response);
  void begin_feed(std::shared_ptr<Feed> feed);
  void let_go();
  void end_request();
  Request unread_request() const;
  bool refuse(unsigned status, std::string_view message, std::string_view extra = {});

  void begin_entry();
  bool admit_address();
  bool admit_by_address(Response &response);
  bool admit_by_token(Response &response);
  bool refuse_client(unsigned seconds, Response &response, std::string_view whose);
  void count_bytes();
  void log_response(unsigned status);

  bool await_input();
  void await_store();
  void await_turn();
  void read(RequestReader::Room room);
  void read_by_tls(RequestReader::Room room, bool in_handler);
  void await_tls(tls::Session::Result what, RequestReader::Room room);
  void on_read(Buffer &into, std::size_t count, bool failed);
  void park();
  bool flush();
  void limit_time();
  void look_for_client();
  bool still_in_time();
  void late();
  void begin_time();
  Loop::Clock::time_point request_deadline() const;

  Loop &loop_;
  const MemoryShare share_; ///< what the connection itself takes
  Socket socket_;
  std::unique_ptr<tls::Session> tls_; ///< null: the connection has none
  Peer peer_;
  const bool refused_;
  Phase phase_ = Phase::head;
  bool close_ = false;            ///< after the response at hand
  bool refused_by_limit_ = false; ///< its address has too many connections

  RequestReader reader_;
  Request request_;
  const std::unique_ptr<Handler> handler_;
  PoolWork work_;
  Output output_;
  Pace pace_;

  /// The facts that the access log needs of the request at hand.
  struct Entry {
    bool has_head = false; ///< `request_` holds it
    unsigned status = 0;   ///< of its response; 0: there is none yet
    std::uint64_t sent_before = 0;
    Loop::Clock::time_point began{};
  };
  Entry entry_;
  std::shared_ptr<Limiter::Slot> of_address_, of_token_; ///< null without such a limit
  std::uint64_t received_ = 0;                           ///< bytes
  std::uint64_t counted_ = 0;                            ///< of those and of the output, that the limits know

  bool had_request_ = false;     ///< one or more
  bool reading_ = false;         ///< a read of the socket is under way
  bool parked_ = false;          ///< it is idle and has no buffers, or will have none
  bool awaits_output_ = false;   ///< the socket takes no more now
  bool piping_ = false;          ///< a thread of the pool takes from the body's pipe, or will
  bool may_wait_ = false;        ///< the pool has the request, and may not have begun it
  PoolWork::Limits limits_;      ///< of the request that the pool has
  std::optional<Response> last_; ///< the response, or its end, that waits for parts that are still on their way
  std::function<bool(Buffer &)> more_;
};

} // namespace omnistore::http
