// SPDX-License-Identifier: Apache-2.0
// The records:
//   {"page": 3, "cursor": "...", "next": "...", "batches": 8}
//   {"batch": 17, "of": 3, "keys": [...]}
//   {"done": 17, "counts": [...], "failed": [...]}
//   {"left": {...}}   the work that an earlier run left; it replaces all records before it
#include "jobs/copy_log.hpp"

#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

namespace omnistore::jobs {
namespace {

namespace json = boost::json;

using Keys = std::vector<std::string>;

json::object to_record(const CopyLog::Remaining &left) {
  return {{"left", json::object{{"cursor", left.cursor},
                                {"listed", left.listed},
                                {"known", json::value_from(Keys(left.known.begin(), left.known.end()))},
                                {"batches", json::value_from(left.batches)},
                                {"counts", json::value_from(left.counts)}}}};
}

} // namespace

CopyLog::CopyLog(const std::string &file, const json::object &identity, Journal::Start start)
    : journal_(file, identity, start, [this](json::object &record) { read(record); }) {
  if (!resumed()) return;
  sum_up();
  journal_.replace({to_record(remaining_)});
  next_batch_ = remaining_.batches.size() + 1;
}

void CopyLog::read(json::object &record) {
  if (const json::value *left = record.if_contains("left")) {
    remaining_.cursor = json::value_to<std::string>(left->at("cursor"));
    remaining_.listed = left->at("listed").as_bool();
    for (auto &key : json::value_to<Keys>(left->at("known"))) remaining_.known.insert(std::move(key));
    remaining_.counts = json::value_to<Counts>(left->at("counts"));
    std::uint64_t number = 0;
    for (auto &keys : json::value_to<std::vector<Keys>>(left->at("batches"))) batches_[++number] = {0, std::move(keys)};
  } else if (const json::value *page = record.if_contains("page")) {
    pages_[json::value_to<std::uint64_t>(*page)] = {json::value_to<std::string>(record.at("cursor")),
                                                    json::value_to<std::string>(record.at("next")),
                                                    json::value_to<std::uint64_t>(record.at("batches")),
                                                    {}};
  } else if (const json::value *batch = record.if_contains("batch")) {
    batches_[json::value_to<std::uint64_t>(*batch)] = {json::value_to<std::uint64_t>(record.at("of")),
                                                       json::value_to<Keys>(record.at("keys"))};
  } else {
    auto found = batches_.extract(json::value_to<std::uint64_t>(record.at("done")));
    const Counts counts = json::value_to<Counts>(record.at("counts"));
    for (std::size_t i = 0; i < counts.size(); ++i) remaining_.counts[i] += counts[i];
    if (Keys failed = json::value_to<Keys>(record.at("failed")); !failed.empty()) remaining_.batches.push_back(failed);
    if (found.empty() || found.mapped().page == 0) return;
    Page &of = pages_[found.mapped().page];
    --of.left;
    of.done.insert(of.done.end(), std::make_move_iterator(found.mapped().keys.begin()),
                   std::make_move_iterator(found.mapped().keys.end()));
    // Of complete pages at the front, only the start of the next page matters.
    while (pages_.size() > 1 && pages_.begin()->second.left == 0) {
      remaining_.cursor = pages_.begin()->second.next;
      pages_.erase(pages_.begin());
    }
  }
}

void CopyLog::sum_up() {
  while (!pages_.empty() && pages_.begin()->second.left == 0) {
    remaining_.cursor = pages_.begin()->second.next;
    remaining_.listed = remaining_.cursor.empty();
    pages_.erase(pages_.begin());
  }
  if (!pages_.empty()) remaining_.cursor = pages_.begin()->second.cursor;
  for (auto &[number, page] : pages_)
    for (std::string &key : page.done) remaining_.known.insert(std::move(key));
  for (auto &[number, batch] : batches_) {
    remaining_.known.insert(batch.keys.begin(), batch.keys.end());
    remaining_.batches.push_back(std::move(batch.keys));
  }
  pages_.clear();
  batches_.clear();
}

void CopyLog::page(std::uint64_t number, const std::string &cursor, const std::string &next, std::size_t batches) {
  journal_.append({{"page", number}, {"cursor", cursor}, {"next", next}, {"batches", batches}});
}

std::uint64_t CopyLog::begin(std::uint64_t page, const std::vector<std::string> &keys) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = next_batch_++;
  }
  journal_.append({{"batch", number}, {"of", page}, {"keys", json::value_from(keys)}});
  return number;
}

void CopyLog::done(std::uint64_t batch, const Counts &counts, const std::vector<std::string> &failed) {
  journal_.append({{"done", batch}, {"counts", json::value_from(counts)}, {"failed", json::value_from(failed)}});
}

} // namespace omnistore::jobs
