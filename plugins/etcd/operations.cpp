// SPDX-License-Identifier: Apache-2.0
#include "operations.hpp"

namespace etcd {
namespace {

std::string nested(const std::string &compare, const std::string &then, const std::string &otherwise) {
  return R"({"request_txn":{"compare":[)" + compare + R"(],"success":[)" + then + R"(],"failure":[)" + otherwise +
         "]}}";
}

std::string compare(std::string_view key, const char *target, const char *how, const char *name,
                    const std::string &value) {
  return R"({"key":)" + quoted(key) + R"(,"target":")" + target + R"(","result":")" + how + R"(",")" + name +
         "\":" + value + "}";
}

std::string is_expired(std::string_view key, std::int64_t now) {
  return compare(key, "VALUE", "GREATER", "value", quoted(mark())) + "," +
         compare(key, "VALUE", "LESS", "value", quoted(end_of_expired(now)));
}

std::string is_at(std::string_view key, std::int64_t revision) {
  return compare(key, "MOD", "EQUAL", "mod_revision", '"' + std::to_string(revision) + '"');
}

void look(const Json &response, Outcome &outcome) {
  if (response.has("response_put") || response.has("response_delete_range")) outcome.done = true;
  if (response.has("response_range")) outcome.found = found_in(response["response_range"]);
  for (const Json &each : response["response_txn"]["responses"].items) look(each, outcome);
}

} // namespace

std::string put(std::string_view key, std::string_view text, std::int64_t lease) {
  std::string out = R"({"request_put":{"key":)" + quoted(key) + R"(,"value":)" + quoted(text);
  if (lease != 0) out += R"(,"lease":")" + std::to_string(lease) + '"';
  return out + "}}";
}

std::string remove(std::string_view key) { return R"({"request_delete_range":{"key":)" + quoted(key) + "}}"; }

std::string range(std::string_view key) { return R"({"request_range":{"key":)" + quoted(key) + "}}"; }

std::string check_expired(std::string_view key, std::int64_t now) { return nested(is_expired(key, now), "", ""); }

std::string conditional(std::string_view key, const std::string &action, std::uint32_t condition, std::int64_t revision,
                        std::int64_t now) {
  const auto is_there = [&](const char *how) { return compare(key, "CREATE", how, "create_revision", "\"0\""); };
  switch (condition) {
  case OMNISTORE_IF_ABSENT:
    return nested(is_there("EQUAL"), action, nested(is_expired(key, now), action, ""));
  case OMNISTORE_IF_PRESENT:
    return nested(is_expired(key, now), "", nested(is_there("GREATER"), action, ""));
  case OMNISTORE_IF_MATCH:
    return nested(is_expired(key, now), "", at_revision(key, action, revision));
  default:
    return action;
  }
}

std::string at_revision(std::string_view key, const std::string &action, std::int64_t revision) {
  return nested(is_at(key, revision), action, range(key));
}

std::string transaction(const std::vector<std::string> &operations) {
  std::string out = R"({"success":[)";
  for (const std::string &each : operations) (out += each) += ',';
  if (!operations.empty()) out.pop_back();
  return out + "]}";
}

Found found_in(const Json &range_response) {
  Found found;
  const std::vector<Json> &values = range_response["kvs"].items;
  if (values.empty()) return found;
  found.is_there = true;
  found.text = values[0]["value"].bytes();
  found.revision = values[0]["mod_revision"].number();
  return found;
}

Outcome outcome_of(const Json &response) {
  Outcome outcome;
  look(response, outcome);
  return outcome;
}

std::string end_of(std::string_view prefix) {
  std::string end(prefix);
  while (end.ends_with('\xff')) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

} // namespace etcd
