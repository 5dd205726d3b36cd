// SPDX-License-Identifier: Apache-2.0
// The listings and the clear of the map.
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "map.hpp"

namespace wrong_map {

omnistore_status Map::list(omnistore_call *call, const omnistore_list_request &given, omnistore_page *page) {
  omnistore_list_request request{};
  std::memcpy(&request, &given, std::min<std::size_t>(given.size, sizeof request));
  if (request.start.size || request.end.size || request.flags & (OMNISTORE_LIST_REVERSE | OMNISTORE_LIST_FOLDERS))
    return list_part(call, request, page);
  std::string base(as_view(request.base)), cursor(as_view(request.cursor));
  if (wrong("deadline-passed") && call->remaining(call) == 0) std::this_thread::sleep_for(std::chrono::seconds(2));
  if (wrong("messages-plain") && !cursor.empty() && cursor[0] == '\x01')
    return fail(call, OMNISTORE_INVALID, "This is no cursor.");
  if (!cursor.empty() && (cursor[0] != '>' || cursor.size() > 4096)) {
    if (wrong("no-exceptions")) throw std::runtime_error("what a cursor");
    if (wrong("list-cursor-wrong")) return fail(call, OMNISTORE_INTERNAL, "what a cursor");
    return fail(call, OMNISTORE_INVALID, "it is no cursor of this store");
  }
  if (wrong("list-resumes") && !cursor.empty() && request.limit != limit_)
    return fail(call, OMNISTORE_INVALID, "it is the cursor of a page with another limit");
  limit_ = request.limit;
  if (wrong("list-cursor-lives") && opened_pages_++ == 0 && !cursor.empty()) cursor = ">";
  if (wrong("list-base") && !base.empty()) base.pop_back();
  if (wrong("list-all") && base.empty()) base = "none:";
  std::vector<std::pair<std::string, Value>> some;
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    std::size_t position = wrong("list-steady") && !cursor.empty() ? std::strtoul(cursor.c_str() + 1, nullptr, 10) : 0;
    auto at =
        wrong("list-steady") || cursor.empty() ? values_->lower_bound(base) : values_->upper_bound(cursor.substr(1));
    if (wrong("list-steady")) { // it counts, in place of remembering the key
      for (std::size_t i = 0; i < position && at != values_->end(); ++i) ++at;
    }
    if (!wrong("list-steady") && !cursor.empty() && at != values_->end() && at->first < base)
      at = values_->lower_bound(base);
    for (; at != values_->end() && (at->first.starts_with(base) || wrong("list-base")); ++at, ++position) {
      if (!at->first.starts_with(base)) break;
      if (is_over(at->second) && !wrong("ttl-ends")) continue;
      if (!omnistore::lists(request, at->first) && !wrong("list-base") && !wrong("list-depth")) continue;
      if (some.size() == request.limit && !wrong("list-limit")) {
        more = true;
        break;
      }
      some.emplace_back(at->first, at->second);
      last_ = position + 1;
    }
  }
  if (!ghost_.empty() && !more) some.emplace_back(ghost_, Value{std::make_shared<const std::string>(), "", "e", 0, 0});
  if (wrong("list-order") && some.size() > 2) std::swap(some[0], some[1]);
  if (wrong("list-nothing") && some.empty()) return OMNISTORE_NOT_FOUND;
  for (const auto &[key, value] : some) {
    omnistore_meta meta = meta_of(value, OMNISTORE_GET_META);
    if (wrong("list-meta")) meta.value_size += 1;
    const omnistore_status status = page->emit(
        page, as_bytes(key), request.flags & OMNISTORE_LIST_META || wrong("list-meta-when-asked") ? &meta : nullptr);
    if (status != OMNISTORE_OK && !wrong("list-emit-fails")) return status;
  }
  if (more) {
    const std::string last =
        wrong("list-order") && some.size() > 2 ? std::max(some[0].first, some.back().first) : some.back().first;
    std::string next = ">" + (wrong("list-steady")                        ? std::to_string(last_)
                              : wrong("list-pages") && request.limit == 3 ? last.substr(0, last.size() - 1) + "~"
                                                                          : last);
    if (wrong("list-cursor-size") && last.size() > 2000) next.resize(OMNISTORE_MAX_CURSOR_SIZE + 1, '~');
    page->next(page, as_bytes(next));
  }
  return OMNISTORE_OK;
}

/// A listing with a range, with folders, or in descending order.
omnistore_status Map::list_part(omnistore_call *call, omnistore_list_request request, omnistore_page *page) {
  const std::string_view base = as_view(request.base);
  std::string start(as_view(request.start)), end(as_view(request.end)), cursor(as_view(request.cursor));
  if (!cursor.empty() && cursor[0] != '>') return fail(call, OMNISTORE_INVALID, "it is no cursor of this store");
  if (!cursor.empty()) cursor.erase(0, 1);
  const bool reverse = request.flags & OMNISTORE_LIST_REVERSE && !wrong("list-reverse");
  if (wrong("list-range") && !end.empty()) end += '\0';
  if (wrong("list-range-any") && !start.starts_with(base)) start.clear();
  if (wrong("list-range-any") && !end.starts_with(base)) end.clear();
  if (wrong("list-range-empty") && !end.empty() && end <= start)
    return fail(call, OMNISTORE_INVALID, "the end is not greater than the start");
  if (wrong("list-reverse-range") && reverse) std::swap(start, end);
  if (wrong("list-folders-any-depth") && request.depth == OMNISTORE_ANY_DEPTH) request.depth = 0;
  request.start = as_bytes(start);
  request.end = as_bytes(end);

  struct Name {
    std::string key; // the first that it stands for
    Value value;
  };
  std::map<std::string, Name> names;
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[key, value] : wrong("list-folders-removed") ? ever_ : *values_) {
      if (is_over(value) || !key.starts_with(base)) continue;
      if (wrong("list-folders-once") && !cursor.empty() && key <= cursor) continue;
      std::string_view name = omnistore::listed(request, key);
      const std::string_view folder = omnistore::folder_of(request, key);
      if (wrong("list-folders") && key.find(':', folder.size()) != key.npos && !folder.empty()) continue;
      if (wrong("list-folders-range") && !omnistore::in_range(request, key)) continue;
      if (!name.empty()) names.try_emplace(std::string(name), Name{key, value});
    }
  }
  std::vector<std::pair<std::string, Name>> order(names.begin(), names.end());
  if (reverse) std::reverse(order.begin(), order.end());
  const auto is_folder = [](const auto &each) { return each.first.ends_with(':'); };
  if (wrong("list-folders-order")) std::stable_partition(order.begin(), order.end(), std::not_fn(is_folder));
  std::string last;
  std::uint32_t emitted = 0;
  bool resumed = cursor.empty() || wrong("list-folders-once");
  for (const auto &[name, first] : order) {
    if (!resumed && wrong("list-folders-order")) {
      resumed = name == cursor;
      continue;
    }
    if (!resumed && (reverse ? name >= cursor : name <= cursor)) continue;
    if (emitted >= request.limit && !(wrong("list-folders-limit") && name.ends_with(':'))) {
      page->next(page, as_bytes(">" + last));
      return OMNISTORE_OK;
    }
    const omnistore_meta meta = meta_of(first.value, OMNISTORE_GET_META);
    const bool gives = request.flags & OMNISTORE_LIST_META && (!name.ends_with(':') || wrong("list-folders-meta"));
    const omnistore_status status = page->emit(page, as_bytes(name), gives ? &meta : nullptr);
    if (status != OMNISTORE_OK) return status;
    ++emitted;
    last = wrong("list-folders-once") ? first.key : name;
  }
  return OMNISTORE_OK;
}

omnistore_status Map::clear(omnistore_call *, const omnistore_clear_request &request, omnistore_page *removed) {
  std::string base(as_view(request.base));
  if (wrong("clear-neighbours") && !base.empty()) base.pop_back();
  std::vector<std::string> keys;
  {
    const std::lock_guard lock(mutex_);
    for (auto at = values_->lower_bound(base); at != values_->end() && at->first.starts_with(base);) {
      if (!is_over(at->second)) keys.push_back(at->first);
      at = values_->erase(at);
    }
  }
  if (wrong("clear-nothing") && keys.empty()) return OMNISTORE_NOT_FOUND;
  if (wrong("clear") && keys.size() > 1) keys.pop_back();
  for (const std::string &key : keys) {
    tell(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_CLEARED, key);
    if (!removed || !key.starts_with(as_view(request.base))) continue;
    if (const omnistore_status status = removed->emit(removed, as_bytes(key), nullptr); status != OMNISTORE_OK)
      return status;
  }
  return OMNISTORE_OK;
}

} // namespace wrong_map
