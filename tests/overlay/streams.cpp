// SPDX-License-Identifier: Apache-2.0
// Long values that come piece by piece, straight through the host's store.
#include <catch2/catch.hpp>

#include <omnistore/child.hpp>
#include <omnistore/config.hpp>

#include "fixture.hpp"
#include "loader/registry.hpp"
#include "storage/call.hpp"
#include "storage/plan.hpp"
#include "storage/store.hpp"
#include "storage/tasks.hpp"

using namespace test;

namespace {

class Source : public omnistore_source {
public:
  Source(std::string bytes, std::size_t piece)
      : omnistore_source{sizeof(omnistore_source), 0, read_}, bytes_(std::move(bytes)), piece_(piece) {}

private:
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *read) {
    auto &self = *static_cast<Source *>(source);
    const std::string_view rest = std::string_view(self.bytes_).substr(self.at_);
    *read = rest.copy(static_cast<char *>(buffer), std::min<std::size_t>(self.piece_, capacity));
    self.at_ += *read;
    return OMNISTORE_OK;
  }
  std::string bytes_;
  std::size_t piece_, at_ = 0;
};

/// One overlay, opened as the host opens it.
class Opened {
public:
  Opened(const std::string &options, const std::string &layers) {
    const std::string text = R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins", ")" OMNISTORE_BUILD
                             R"(/tests/plugins"] }, "mounts": { "o": { "driver": "overlay", "options": )" +
                             options + R"(, "layers": [)" + layers + "] } } }";
    const auto config =
        omnistore::Config::parse(text, "test.jsonc", {}, [](const std::string &) { return std::nullopt; });
    omnistore::loader::Registry registry({config.plugin_paths, config.pins});
    std::vector<omnistore::Problem> problems;
    store_ = omnistore::Store::open(
        plan(config.mounts.begin()->second.store, registry, false, problems, *omnistore::Background::make()), tasks_,
        "o", std::chrono::steady_clock::now() + std::chrono::seconds(30));
  }

  omnistore_status set(const std::string &key, Source source, std::uint64_t size,
                       std::uint32_t condition = OMNISTORE_ALWAYS) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.source = &source;
    request.source_size = size;
    request.condition = condition;
    omnistore::HostCall call;
    return store_->set(&call, omnistore::bytes(key), request, nullptr);
  }
  std::string get(const std::string &key) {
    omnistore::ValueSink sink;
    omnistore::HostCall call;
    const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
    return store_->get(&call, omnistore::bytes(key), request, &sink) == OMNISTORE_OK ? sink.bytes : "none";
  }

private:
  const std::shared_ptr<omnistore::Tasks> tasks_ = std::make_shared<omnistore::Tasks>();
  std::unique_ptr<omnistore::Store> store_;
};

} // namespace

TEST_CASE("a stream goes into the layer that is written to, whole, or not at all") {
  Folder folder;
  Opened overlay("{}", R"({ "driver": "fs", "options": { "base": ")" + folder.path().string() +
                           R"(" } }, { "driver": "memory" })");
  const std::string value = GENERATE(std::string(), std::string("short"), std::string(300'000, 'x'));
  const std::size_t piece = GENERATE(1u, 100'000u);
  CHECK(overlay.set("a", Source(value, piece), value.size()) == OMNISTORE_OK);
  CHECK(overlay.get("a") == value);
  CHECK(overlay.set("b", Source(value, piece), OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_OK);
  CHECK(overlay.get("b") == value);
  CHECK(overlay.set("a", Source(value, piece), value.size() + 1) == OMNISTORE_INVALID);
  CHECK(overlay.get("a") == value);
}

TEST_CASE("a stream goes into all layers of writeTo, and its condition holds") {
  Opened overlay(R"({ "writeTo": "all" })", R"({ "driver": "memory" }, { "driver": "memory" })");
  const std::string value(100'000, 'x');
  CHECK(overlay.set("a", Source(value, 7000), value.size(), OMNISTORE_IF_ABSENT) == OMNISTORE_OK);
  CHECK(overlay.get("a") == value);
  CHECK(overlay.set("a", Source("other", 2), 5, OMNISTORE_IF_ABSENT) == OMNISTORE_CONFLICT);
  CHECK(overlay.get("a") == value);
}

TEST_CASE("a stream that is unstorage's marker is refused") {
  Folder folder;
  Opened overlay("{}", R"({ "driver": "fs", "options": { "base": ")" + folder.path().string() +
                           R"(" } }, { "driver": "memory" })");
  CHECK(overlay.set("a", Source(removed_marker, 4), OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_INVALID);
  CHECK(overlay.set("a", Source(removed_marker + "!", 4), OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_OK);
  CHECK(overlay.get("a") == removed_marker + "!");
}
