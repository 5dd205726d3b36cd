// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>

#include <poll.h>

#include <omnistore/failure.hpp>

namespace postgres {
namespace {

using omnistore::Failure;

std::string big_endian(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return bytes;
}

constexpr std::uint32_t BYTEA = 17, INT8 = 20; // the numbers of the types

std::string array_head(std::size_t count, std::uint32_t type) {
  return big_endian(1, 4) + big_endian(1, 4) + big_endian(type, 4) + big_endian(count, 4) + big_endian(1, 4);
}

omnistore_status status_of(std::string_view state) {
  const std::string_view kind = state.substr(0, 2);
  if (state == "57014") return OMNISTORE_TIMEOUT; // cancelled, by statement_timeout or by an administrator
  if (kind == "28" || state == "42501") return OMNISTORE_DENIED;
  if (state == "25006") return OMNISTORE_READ_ONLY;
  if (state == "53100") return OMNISTORE_NO_SPACE;
  if (kind == "08" || kind == "53" || kind == "57" || kind == "40" || state == "55P03") return OMNISTORE_UNAVAILABLE;
  if (kind == "54" || state == "22001") return OMNISTORE_TOO_LARGE;
  if (kind == "3D" || kind == "3F" || kind == "42" || kind == "22") return OMNISTORE_INVALID;
  if (state == "XX001" || state == "XX002") return OMNISTORE_CORRUPT;
  if (kind == "58") return OMNISTORE_IO;
  return OMNISTORE_INTERNAL;
}

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text)
    if (c != '\n' && c != '\t')
      line.push_back(c);
    else if (!line.empty() && line.back() != ' ')
      line.push_back(' ');
  while (!line.empty() && (line.back() == ' ' || line.back() == '.')) line.pop_back();
  return line;
}

/// Returns the status of a failed attempt to connect. libpq gives no code for it, but the verbose message has it:
/// "FATAL: 28P01: password authentication failed ...\nLOCATION: ...".
Failure refusal(std::string_view text) {
  constexpr std::string_view fatal = "FATAL:  ";
  if (const std::size_t at = text.find(fatal); at != text.npos && text.substr(at + fatal.size() + 5, 2) == ": ") {
    const std::string_view state = text.substr(at + fatal.size(), 5);
    const std::string_view message = text.substr(at + fatal.size() + 7);
    return Failure(status_of(state), one_line(message.substr(0, message.find('\n'))), omnistore::nothing_done);
  }
  // A certificate that is wrong stays wrong until somebody changes it. OpenSSL's message does not always name it.
  const bool tls = text.find("SSL error: ") != text.npos && text.find("eof") == text.npos;
  const bool certificate = tls || (text.find("certificate") != text.npos && text.find("could not") == text.npos);
  const char *const remedy = tls ? "; sslrootcert must name the authority that signed the server's certificate" : "";
  return Failure(certificate ? OMNISTORE_DENIED : OMNISTORE_UNAVAILABLE, one_line(text) + remedy,
                 omnistore::nothing_done);
}

Failure failure_of(const PGresult *result) {
  const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  // Without a state the message is libpq's own: the connection is lost.
  if (!state) return Failure(OMNISTORE_UNAVAILABLE, one_line(PQresultErrorMessage(result)));
  return Failure(status_of(state), one_line(message ? message : state), omnistore::nothing_done);
}

} // namespace

// ------------------------------------------------------------------------------------------------ parameters and rows

Params &Params::bytes(std::string_view bytes) {
  values_.push_back(bytes.empty() ? "" : bytes.data());
  lengths_.push_back(static_cast<int>(bytes.size()));
  formats_.push_back(1);
  return *this;
}
Params &Params::own(std::string text) { return bytes(owned_.emplace_back(std::move(text))); }
Params &Params::integer(std::int64_t value) { return own(big_endian(static_cast<std::uint64_t>(value), 8)); }
Params &Params::null() {
  values_.push_back(nullptr);
  lengths_.push_back(0);
  formats_.push_back(1);
  return *this;
}
Params &Params::array(std::span<const std::string_view> items, bool empty_is_null) {
  std::string text = array_head(items.size(), BYTEA);
  for (const std::string_view item : items) {
    const bool null = empty_is_null && item.empty();
    text += big_endian(null ? 0xffffffffu : item.size(), 4);
    text += item;
  }
  return own(std::move(text));
}
Params &Params::array(std::span<const std::int64_t> items) {
  std::string text = array_head(items.size(), INT8);
  for (const std::int64_t item : items)
    text += item == 0 ? big_endian(0xffffffffu, 4) : big_endian(8, 4) + big_endian(static_cast<std::uint64_t>(item), 8);
  return own(std::move(text));
}

std::int64_t Rows::integer(int row, int column) const {
  std::uint64_t value = 0;
  for (const char c : bytes(row, column)) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}
std::int64_t Rows::changed() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

// --------------------------------------------------------------------------------------------------------- connecting

Connection::Connection(const Settings &settings, const Statements &statements, omnistore::Call call)
    : statements_(statements), prepared_(QUERIES) {
  std::vector<const char *> names, values;
  for (const auto &parameter : settings.parameters) {
    names.push_back(parameter.first.c_str());
    values.push_back(parameter.second.c_str());
  }
  names.push_back(nullptr);
  values.push_back(nullptr);
  db_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  if (!db_) throw std::bad_alloc();
  PQsetErrorVerbosity(db_.get(), PQERRORS_VERBOSE);
  // A notice, such as that a table exists already, must not go to the standard error.
  PQsetNoticeReceiver(
      db_.get(), [](void *, const PGresult *) {}, nullptr);
  connect(call, settings.connect_timeout);
  if (PQsetnonblocking(db_.get(), 1) != 0) throw refusal(PQerrorMessage(db_.get()));
  // Each statement goes by an index, whatever the statistics say; so a plan that was made for an empty table stays
  // good.
  text(call, "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
             "SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan; SET jit = off");
  if (PQserverVersion(db_.get()) >= 140000) // a statement whose caller left ends
    text(call, "SET client_connection_check_interval = '1s'");
}

void Connection::connect(omnistore::Call call, std::int64_t timeout) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(timeout);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  if (PQstatus(db_.get()) == CONNECTION_BAD) throw refusal(PQerrorMessage(db_.get()));
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) throw refusal(PQerrorMessage(db_.get()));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    const std::int64_t wait = std::min<std::int64_t>({left, call.remaining(), 100});
    if (left <= 0)
      throw Failure(OMNISTORE_UNAVAILABLE, "the server did not let the store connect in time", omnistore::nothing_done);
    if (wait <= 0) throw Failure(call.late(), "the server did not respond in time", omnistore::nothing_done);
    pollfd waited{PQsocket(db_.get()), static_cast<short>(next == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (poll(&waited, 1, static_cast<int>(wait)) != 0) next = PQconnectPoll(db_.get());
  }
}

bool Connection::is_alive() {
  if (is_broken()) return false;
  pollfd waited{socket(), POLLIN, 0};
  if (poll(&waited, 1, 0) == 0) return true;
  return PQconsumeInput(db_.get()) == 1 && !is_broken();
}

// ------------------------------------------------------------------------------------------------------------ running

void Connection::lose(omnistore_status status, const std::string &message) {
  broken_ = true;
  throw Failure(status, message);
}

void Connection::wait(omnistore::Call call, bool writes) {
  const std::int64_t left = call.remaining();
  if (left == 0) lose(call.late(), "the server did not respond in time");
  pollfd waited{socket(), static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN), 0};
  const int ready = poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left, 100)));
  if (ready < 0 && errno != EINTR) lose(OMNISTORE_UNAVAILABLE, "poll failed");
  if (ready > 0 && (waited.revents & ~POLLOUT) && PQconsumeInput(db_.get()) != 1)
    lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
}

void Connection::flush(omnistore::Call call) {
  for (;;) {
    const int rest = PQflush(db_.get());
    if (rest == 0) return;
    if (rest < 0) lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
    wait(call, true);
  }
}

PGresult *Connection::result(omnistore::Call call) {
  while (PQisBusy(db_.get())) wait(call, false);
  return PQgetResult(db_.get());
}

Rows Connection::last_result(omnistore::Call call) {
  flush(call);
  Rows last(nullptr);
  std::optional<Failure> failure;
  while (PGresult *next = result(call)) {
    const ExecStatusType status = PQresultStatus(next);
    Rows rows(next);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !failure) failure.emplace(failure_of(next));
    last = std::move(rows);
  }
  if (failure) throw *failure;
  return last;
}

Rows Connection::text(omnistore::Call call, const std::string &sql) {
  if (PQsendQuery(db_.get(), sql.c_str()) != 1) lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
  return last_result(call);
}

void Connection::prepare(omnistore::Call call, Query query) {
  const auto index = static_cast<std::size_t>(query);
  if (prepared_[index]) return;
  if (PQsendPrepare(db_.get(), ("omnistore_" + std::to_string(index)).c_str(), statements_.text(query).c_str(), 0,
                    nullptr) != 1)
    lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
  last_result(call);
  prepared_[index] = true;
}

namespace {

int send(PGconn *db, Query query, std::size_t count, const char *const *values, const int *lengths,
         const int *formats) {
  return PQsendQueryPrepared(db, ("omnistore_" + std::to_string(static_cast<int>(query))).c_str(),
                             static_cast<int>(count), values, lengths, formats, 1);
}

} // namespace

Rows Connection::run(omnistore::Call call, Query query, const Params &params) {
  prepare(call, query);
  if (send(db_.get(), query, params.values_.size(), params.values_.data(), params.lengths_.data(),
           params.formats_.data()) != 1)
    lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
  return last_result(call);
}

std::vector<Rows> Connection::pipeline(omnistore::Call call, std::span<const Step> steps) {
  for (const Step &step : steps) prepare(call, step.query);
  if (PQenterPipelineMode(db_.get()) != 1) lose(OMNISTORE_INTERNAL, "the connection is busy");
  for (const Step &step : steps) {
    const Params &params = step.params;
    if (send(db_.get(), step.query, params.values_.size(), params.values_.data(), params.lengths_.data(),
             params.formats_.data()) != 1)
      lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
  }
  if (PQpipelineSync(db_.get()) != 1) lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
  flush(call);
  std::vector<Rows> all;
  std::optional<Failure> failure;
  for (bool synced = false; !synced;) {
    PGresult *next = result(call);
    if (!next) {
      if (PQstatus(db_.get()) != CONNECTION_OK) lose(OMNISTORE_UNAVAILABLE, one_line(PQerrorMessage(db_.get())));
      continue; // the end of one statement
    }
    const ExecStatusType status = PQresultStatus(next);
    Rows rows(next);
    synced = status == PGRES_PIPELINE_SYNC;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
      all.push_back(std::move(rows));
    else if (!synced && status != PGRES_PIPELINE_ABORTED && !failure)
      failure.emplace(failure_of(next));
    if (failure && PQstatus(db_.get()) != CONNECTION_OK) break;
  }
  if (PQexitPipelineMode(db_.get()) != 1) broken_ = true;
  if (failure) throw *failure;
  return all;
}

} // namespace postgres
