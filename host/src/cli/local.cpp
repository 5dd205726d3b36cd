// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "cli/find_config.hpp"
#include "cli/log.hpp"
#include "cli/target.hpp"
#include "cli/time_limit.hpp"
#include "report/describe.hpp"

namespace omnistore::cli {
namespace {

struct LocalWatch : Subscription {
  Watch watch;
};

class Local : public Target {
public:
  explicit Local(const Config &config) : name_(config.file), storage_(config) {}

  std::string name() const override { return name_; }
  bool read(const std::string &key, Reader &reader, const std::optional<http::ByteRange> &range) override {
    auto options = limited(GetOptions());
    options.meta = true;
    if (!range) return storage_.read(key, reader, options);
    const std::optional<Meta> meta = storage_.meta(key, limited(MetaOptions()));
    if (!meta) return false;
    if (range->suffix && meta->size == UINT64_MAX)
      throw Error(Status::unsupported, "get " + key + ": where it ends is not known before it is read");
    options.offset = range->suffix ? meta->size - std::min(range->last, meta->size) : range->first;
    const bool of_nothing = range->suffix && range->last > 0 && meta->size == 0; // the last bytes of an empty value
    if (options.offset >= meta->size && !of_nothing)
      throw Error(Status::invalid, "get " + key + ": the range begins behind the value's end, which has " +
                                       std::to_string(meta->size) + " bytes");
    if (!range->suffix && range->last != UINT64_MAX) options.length = range->last - range->first + 1;
    return storage_.read(key, reader, options);
  }
  bool has(const std::string &key) override { return storage_.has(key, limited(CallOptions())); }
  std::optional<Meta> meta(const std::string &key) override { return storage_.meta(key, limited(MetaOptions())); }
  Stored set(const std::string &key, std::string_view value, const SetOptions &options) override {
    return storage_.set(key, value, limited(options), true);
  }
  Stored set(const std::string &key, Source &source, std::uint64_t size, const SetOptions &options) override {
    return storage_.set(key, source, size, limited(options), true);
  }
  bool touch(const std::string &key, std::chrono::milliseconds ttl) override {
    return storage_.touch(key, ttl, limited(CallOptions()));
  }
  std::vector<EntryOutcome> get(std::span<const std::string> keys) override {
    GetOptions options;
    options.meta = true;
    return storage_.get_many(keys, limited(options));
  }
  std::vector<Outcome> set(std::span<const SetItem> items) override {
    return storage_.set_many(items, limited(CallOptions()));
  }
  std::vector<Outcome> remove(std::span<const std::string> keys) override {
    return storage_.remove_many(keys, limited(CallOptions()));
  }
  Page list(const std::string &base, const ListOptions &options) override {
    return storage_.list(base, limited(options));
  }
  std::optional<std::uint64_t> clear(const std::string &base) override {
    return storage_.clear(base, limited(CallOptions()));
  }
  std::unique_ptr<Subscription> watch(const std::string &base, EventSink &sink) override {
    auto watch = std::make_unique<LocalWatch>();
    WatchOptions options;
    options.limited = [&sink](const std::string &message) { sink.limited(message); };
    watch->watch = storage_.watch(
        base, [&sink](const Event &event) { sink.event(event); }, options);
    sink.begun();
    return watch;
  }
  boost::json::object explain(const std::string &key) override {
    return report::describe(storage_.explain(key, limited(CallOptions())));
  }
  boost::json::object mounts() override { return report::describe_mounts(storage_); }

private:
  std::string name_;
  Storage storage_;
};

} // namespace

std::unique_ptr<Target> open_local(const Global &global) {
  const Config config = load_config(global);
  start_log(config, global);
  return std::make_unique<Local>(config);
}

} // namespace omnistore::cli
