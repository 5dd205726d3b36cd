// SPDX-License-Identifier: Apache-2.0
#include "writes.hpp"

#include <map>

#include <omnistore/etag_number.hpp>
#include <omnistore/utf8.hpp>

namespace postgres {
namespace {

using omnistore::as_view;

/// The third parameter of a set (layout.hpp); 0 stands for NULL.
std::int64_t third_of(const Statements &statements, const omnistore_set_request &request) {
  return statements.is_db0() ? omnistore::is_text(as_view(request.value)) : request.expiry;
}

} // namespace

std::optional<Step> setting(const Statements &statements, std::string_view key, const omnistore_set_request &request,
                            std::int64_t moment) {
  const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
  const bool matches = request.condition == OMNISTORE_IF_MATCH;
  if (matches && !version) return std::nullopt;
  Step step{Query::set, {}};
  if (request.expiry != 0 && request.expiry <= moment) { // it removes the key
    step.query = matches                                     ? Query::remove_if_match
                 : request.condition == OMNISTORE_IF_PRESENT ? Query::remove
                 : request.condition == OMNISTORE_IF_ABSENT  ? Query::is_present
                                                             : Query::remove_any;
    step.params.bytes(key);
    if (step.query != Query::remove_any) step.params.integer(moment);
  } else {
    step.query = matches                                     ? Query::set_if_match
                 : request.condition == OMNISTORE_IF_PRESENT ? Query::set_if_present
                 : request.condition == OMNISTORE_IF_ABSENT  ? Query::set_if_absent
                                                             : Query::set;
    step.params.bytes(key).integer(moment).integer_or_null(third_of(statements, request));
    step.params.bytes_or_null(as_view(request.user)).bytes(as_view(request.value));
  }
  if (matches) step.params.integer(static_cast<std::int64_t>(*version));
  return step;
}

bool was_set(const Step &step, const Rows &rows, std::int64_t &version) {
  switch (step.query) {
  case Query::is_present:
    return rows.count() == 0;
  case Query::remove_any:
    return true;
  case Query::remove:
  case Query::remove_if_match:
    return rows.changed() > 0;
  default:
    if (rows.count() == 0) return false;
    version = rows.integer(0, 0);
    return true;
  }
}

void set_arrays(Connection &connection, omnistore::Call call, const Statements &statements,
                std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                std::vector<std::int64_t> &versions) {
  std::map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < keys.size(); ++i) last[as_view(keys[i])] = i;
  std::vector<std::string_view> names, users, values;
  std::vector<std::int64_t> thirds;
  for (const auto &each : last) {
    const omnistore_set_request &request = requests[each.second];
    names.push_back(each.first);
    users.push_back(as_view(request.user));
    values.push_back(as_view(request.value));
    thirds.push_back(third_of(statements, request));
  }
  Params params;
  params.array(names).integer(moment).array(thirds).array(users, true).array(values);
  const Rows rows = connection.run(call, Query::set_many, params);
  std::map<std::string_view, std::int64_t> found;
  for (int row = 0; row < rows.count(); ++row) found[rows.bytes(row, 0)] = rows.integer(row, 1);
  for (std::size_t i = 0; i < keys.size(); ++i) versions[i] = found[as_view(keys[i])];
}

void set_pipeline(Connection &connection, omnistore::Call call, const Statements &statements,
                  std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                  std::vector<std::int64_t> &versions, omnistore_status *statuses) {
  std::vector<Step> steps;
  std::vector<std::size_t> items;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::optional<Step> step = setting(statements, as_view(keys[i]), requests[i], moment);
    if (!step) {
      statuses[i] = OMNISTORE_CONFLICT;
      continue;
    }
    steps.push_back(std::move(*step));
    items.push_back(i);
  }
  const std::vector<Rows> rows = connection.pipeline(call, steps);
  for (std::size_t k = 0; k < items.size(); ++k)
    if (!was_set(steps[k], rows[k], versions[items[k]])) statuses[items[k]] = OMNISTORE_CONFLICT;
}

std::optional<Step> removing(std::string_view key, const omnistore_remove_request &request, std::int64_t moment) {
  const bool matches = request.condition == OMNISTORE_IF_MATCH;
  const auto version = omnistore::NumberEtag::parse(as_view(request.etag));
  if (matches && !version) return std::nullopt;
  Step step{matches ? Query::remove_if_match : Query::remove, {}};
  step.params.bytes(key).integer(moment);
  if (matches) step.params.integer(static_cast<std::int64_t>(*version));
  return step;
}
omnistore_status removed(const omnistore_remove_request &request, bool was_there) {
  return was_there ? OMNISTORE_OK : request.condition == OMNISTORE_IF_MATCH ? OMNISTORE_CONFLICT : OMNISTORE_NOT_FOUND;
}

} // namespace postgres
