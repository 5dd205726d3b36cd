// SPDX-License-Identifier: Apache-2.0
// A driver for tests: a map that can only get, stat, set, remove and list, and says of itself what its options say.
// Keys of some names misbehave: `fail:KIND` fails with that status number, `throw` throws through the C border, `short`
// gives fewer bytes than it announced, `wait` waits until the call's deadline.
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>

#include <omnistore/driver.hpp>
#include <omnistore_schema.h>

namespace {

class Bare {
public:
  Bare(const omnistore_host &host, omnistore::Options options, omnistore_traits &traits) : host_(host) {
    if (const std::string message = options.string("failOpen"); !message.empty())
      throw omnistore::Failure(OMNISTORE_UNAVAILABLE, message);
    traits.capabilities = 0;
    if (options.boolean("shared")) traits.capabilities |= OMNISTORE_SHARED;
    if ((etags_ = options.boolean("etags"))) traits.capabilities |= OMNISTORE_CAN_ETAG;
    if (!options.boolean("blocks")) traits.capabilities |= OMNISTORE_NEVER_BLOCKS;
    if (options.boolean("readOnly")) traits.capabilities |= OMNISTORE_READS_ONLY;
    traits.keeps = options.boolean("keeps") ? OMNISTORE_KEEPS_PROCESS : OMNISTORE_KEEPS_NOTHING;
    traits.max_batch = static_cast<std::uint32_t>(options.integer("batch"));
    traits.max_value_size = static_cast<std::uint64_t>(options.integer("maxValue"));
    file_ = options.string("file");
    if (file_.empty()) return;
    std::ifstream in(file_);
    for (std::string key, value; std::getline(in, key, '\0') && std::getline(in, value, '\0');)
      values_[key].bytes = value;
  }
  ~Bare() {
    if (file_.empty()) return;
    std::ofstream out(file_);
    for (const auto &[key, value] : values_) out << key << '\0' << value.bytes << '\0';
  }

  omnistore_status get(omnistore::Call call, std::string_view key, const omnistore_get_request &,
                       omnistore_sink &sink) {
    if (const omnistore_status status = misbehave(call, key); status != OMNISTORE_OK) return status;
    const auto found = values_.find(key);
    if (found == values_.end()) return OMNISTORE_NOT_FOUND;
    if (key == "short")
      return omnistore::give(sink, omnistore::make_meta(found->second.bytes.size() + 1), found->second.bytes);
    return omnistore::give(sink, meta(found->second), found->second.bytes);
  }
  omnistore_status stat(omnistore::Call call, std::string_view key, const omnistore_get_request &,
                        omnistore_sink &sink) {
    if (const omnistore_status status = misbehave(call, key); status != OMNISTORE_OK) return status;
    const auto found = values_.find(key);
    return found == values_.end() ? OMNISTORE_NOT_FOUND : omnistore::give(sink, meta(found->second));
  }
  omnistore_status set(omnistore::Call call, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
    if (const omnistore_status status = misbehave(call, key); status != OMNISTORE_OK) return status;
    if (request.expiry != 0 || request.condition != OMNISTORE_ALWAYS || request.source || request.user.size != 0)
      return call.fail(OMNISTORE_INTERNAL, "the host asked for what this driver says it cannot do");
    Value &value = values_[std::string(key)];
    value.bytes = omnistore::as_view(request.value);
    value.etag = "v" + std::to_string(++writes_);
    return result ? omnistore::give(*result, meta(value)) : OMNISTORE_OK;
  }
  omnistore_status remove(omnistore::Call call, std::string_view key, const omnistore_remove_request &request) {
    if (const omnistore_status status = misbehave(call, key); status != OMNISTORE_OK) return status;
    if (request.condition == OMNISTORE_IF_MATCH)
      return call.fail(OMNISTORE_INTERNAL, "the host asked for what this driver says it cannot do");
    const auto found = values_.find(key);
    if (found == values_.end()) return OMNISTORE_NOT_FOUND;
    values_.erase(found);
    return OMNISTORE_OK;
  }
  omnistore_status list(omnistore::Call call, const omnistore_list_request &request, omnistore_page &page) {
    if (request.depth != OMNISTORE_ANY_DEPTH || request.flags & OMNISTORE_LIST_META)
      return call.fail(OMNISTORE_INTERNAL, "the host asked for what this driver says it cannot do");
    const std::string_view base = omnistore::as_view(request.base), cursor = omnistore::as_view(request.cursor);
    std::uint32_t given = 0;
    std::string last;
    for (auto at = cursor.empty() ? values_.lower_bound(base) : values_.upper_bound(cursor); at != values_.end();
         ++at) {
      if (!std::string_view(at->first).starts_with(base)) break;
      if (given++ == request.limit) {
        page.next(&page, omnistore::as_bytes(last));
        break;
      }
      last = at->first;
      if (const auto status = page.emit(&page, omnistore::as_bytes(last), nullptr); status != OMNISTORE_OK)
        return status;
    }
    return OMNISTORE_OK;
  }

private:
  struct Value {
    std::string bytes, etag;
  };
  omnistore_meta meta(const Value &value) const {
    omnistore_meta meta = omnistore::make_meta(value.bytes.size(), 1000);
    if (etags_) meta.etag = omnistore::as_bytes(value.etag);
    return meta;
  }
  static omnistore_status misbehave(omnistore::Call call, std::string_view key) {
    if (key.starts_with("fail:"))
      return call.fail(static_cast<omnistore_status>(std::stoi(std::string(key.substr(5)))), "as the key says");
    if (key == "wait") {
      // Nothing ever notifies: what ends the wait is the deadline.
      std::mutex mutex;
      std::condition_variable never;
      std::unique_lock lock(mutex);
      while (call.remaining() > 0) never.wait_for(lock, std::chrono::milliseconds(call.remaining()));
      return OMNISTORE_TIMEOUT;
    }
    return OMNISTORE_OK;
  }

  [[maybe_unused]] const omnistore_host &host_;
  bool etags_ = false;
  std::string file_;
  std::uint64_t writes_ = 0;
  std::map<std::string, Value, std::less<>> values_;
};

constexpr omnistore_traits traits = [] {
  omnistore_traits stated{};
  stated.size = sizeof stated;
  stated.thread_model = OMNISTORE_SERIALIZED;
  return stated;
}();
constexpr omnistore_driver plain =
    omnistore::driver<Bare>("bare", "1.0.0", "For tests", OMNISTORE_OPTIONS_SCHEMA, traits);

/// The C border itself, for what the C++ face would catch.
omnistore_status OMNISTORE_CALL throwing_open(const omnistore_host *host, omnistore_call *call,
                                              const omnistore_open_request *request, omnistore_traits *out,
                                              void **self) {
  if (omnistore::Options(omnistore::as_view(request->options)).boolean("throwOpen"))
    throw std::runtime_error("thrown on purpose");
  return plain.open(host, call, request, out, self);
}
omnistore_status OMNISTORE_CALL throwing_get(void *self, omnistore_call *call, omnistore_bytes key,
                                             const omnistore_get_request *request, omnistore_sink *sink) {
  if (omnistore::as_view(key) == "throw") throw std::runtime_error("thrown on purpose");
  return plain.get(self, call, key, request, sink);
}
constexpr omnistore_driver bare = [] {
  omnistore_driver driver = plain;
  driver.open = throwing_open;
  driver.get = throwing_get;
  return driver;
}();

} // namespace

OMNISTORE_PLUGIN(bare)
