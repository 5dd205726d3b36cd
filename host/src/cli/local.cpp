// SPDX-License-Identifier: Apache-2.0
#include "cli/find_config.hpp"
#include "cli/log.hpp"
#include "cli/target.hpp"
#include "server/describe.hpp"

namespace omnistore::cli {
namespace {

struct LocalWatch : Subscription {
  Watch watch;
};

class Local : public Target {
public:
  explicit Local(const Config &config) : name_(config.file), storage_(config) {}

  std::string name() const override { return name_; }
  bool read(const std::string &key, Reader &reader) override {
    GetOptions options;
    options.meta = true;
    return storage_.read(key, reader, options);
  }
  bool has(const std::string &key) override { return storage_.has(key); }
  std::optional<Meta> meta(const std::string &key) override { return storage_.meta(key); }
  Stored set(const std::string &key, std::string_view value, const SetOptions &options) override {
    return storage_.set(key, value, options, true);
  }
  std::vector<Outcome> remove(std::span<const std::string> keys) override { return storage_.remove_many(keys); }
  Page list(const std::string &base, const ListOptions &options) override { return storage_.list(base, options); }
  std::optional<std::uint64_t> clear(const std::string &base) override { return storage_.clear(base); }
  std::unique_ptr<Subscription> watch(const std::string &base, EventSink &sink) override {
    auto watch = std::make_unique<LocalWatch>();
    watch->watch = storage_.watch(base, [&sink](const Event &event) { sink.event(event); });
    sink.begun();
    return watch;
  }
  boost::json::object mounts() override { return server::describe(storage_.mounts()); }

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
