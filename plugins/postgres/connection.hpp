// SPDX-License-Identifier: Apache-2.0
// One connection to the server, which one thread uses at a time. Every wait ends at the call's deadline; a connection
// on which a call ran out of time, or which the server ended, is broken and can only be closed.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include <omnistore/call.hpp>

#include "settings.hpp"
#include "statements.hpp"

namespace postgres {

/// The parameters of a statement, in libpq's binary form. Bytes are not copied. An object can be moved, also by a
/// vector that grows: the numbers that it owns keep their place. A copy would point into the original.
class Params {
public:
  Params() = default;
  Params(Params &&) noexcept = default;
  Params &operator=(Params &&) noexcept = default;
  Params &bytes(std::string_view bytes);
  Params &integer(std::int64_t value);
  /// NULL if the bytes are empty or the number is 0.
  Params &bytes_or_null(std::string_view value) { return value.empty() ? null() : bytes(value); }
  Params &integer_or_null(std::int64_t value) { return value == 0 ? null() : integer(value); }
  Params &null();
  /// An array of bytea; an item without data is NULL if `empty_is_null`.
  Params &array(std::span<const std::string_view> items, bool empty_is_null = false);
  /// An array of int8; 0 is NULL.
  Params &array(std::span<const std::int64_t> items);

private:
  friend class Connection;
  Params &own(std::string bytes);
  std::list<std::string> owned_;
  std::vector<const char *> values_;
  std::vector<int> lengths_, formats_;
};

/// The rows of a statement.
class Rows {
public:
  explicit Rows(PGresult *result) noexcept : result_(result, &PQclear) {}
  int count() const { return PQntuples(result_.get()); }
  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string_view bytes(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  /// 0 if it is NULL.
  std::int64_t integer(int row, int column) const;
  /// How many rows a write changed.
  std::int64_t changed() const;

private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

/// A statement of a pipeline.
struct Step {
  Query query;
  Params params;
};

class Connection {
public:
  /// Connects. Throws Failure: UNAVAILABLE if the server cannot be reached, else what it refused.
  Connection(const Settings &settings, const Statements &statements, omnistore::Call call);
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  /// Runs a prepared statement.
  Rows run(omnistore::Call call, Query query, const Params &params);
  /// Runs several in one round trip and one transaction: if one fails, nothing is done.
  std::vector<Rows> pipeline(omnistore::Call call, std::span<const Step> steps);
  /// Runs text, which may hold several statements and has no parameters. Gives the rows of the last one, as text.
  Rows text(omnistore::Call call, const std::string &sql);

  bool is_broken() const { return broken_ || PQstatus(db_.get()) != CONNECTION_OK; }
  /// Looks whether the server ended the connection while it was idle.
  bool is_alive();
  int socket() const { return PQsocket(db_.get()); }
  PGconn *db() const { return db_.get(); }

private:
  void connect(omnistore::Call call, std::int64_t timeout);
  void prepare(omnistore::Call call, Query query);
  void flush(omnistore::Call call);
  /// Waits for the next result; null at the end of a statement.
  PGresult *result(omnistore::Call call);
  Rows last_result(omnistore::Call call);
  void wait(omnistore::Call call, bool writes);
  [[noreturn]] void lose(omnistore_status status, const std::string &message);

  const Statements &statements_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> db_{nullptr, &PQfinish};
  std::vector<bool> prepared_;
  bool broken_ = false;
};

} // namespace postgres
