// SPDX-License-Identifier: Apache-2.0
#include "bench.hpp"

#include "progress.hpp"
#include "rule.hpp"
#include "system.hpp"

namespace omnistore::kit {
namespace {

void fill_in(std::string &text, std::string_view mark, std::string_view with) {
  for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at + with.size()))
    text.replace(at, mark.size(), with);
}

} // namespace

struct Bench::Opened {
  std::unique_ptr<Children> children{};
  std::unique_ptr<Store> store{};
};

Bench::Bench(const Subject &subject, std::string id, std::string folder, std::uint64_t seed, bool in_length)
    : random(seed), longer(in_length), subject_(subject), id_(std::move(id)), folder_(std::move(folder)),
      base_("kit-" + id_ + ":"), options_(subject.options) {
  const omnistore_entry entry = load_entry(subject.file);
  const omnistore_abi abi{sizeof abi, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
  progress::say("omnistore_plugin_entry", "");
  plugin_ = entry(&abi);
  require(plugin_, "omnistore_plugin_entry returned null to a host of ABI " + std::to_string(OMNISTORE_ABI_MAJOR));
  require(plugin_->abi_major == OMNISTORE_ABI_MAJOR, "it was built for ABI " + std::to_string(plugin_->abi_major) +
                                                         "; this kit tests " + std::to_string(OMNISTORE_ABI_MAJOR));
  std::string names;
  for (std::uint32_t i = 0; i < plugin_->driver_count; ++i) {
    const omnistore_driver *each = plugin_->drivers[i];
    require(each && each->name, "driver " + std::to_string(i) + " has no name");
    names += std::string(i ? ", " : "") + each->name;
    if (subject.driver == each->name || (subject.driver.empty() && plugin_->driver_count == 1)) driver_ = each;
  }
  if (!driver_)
    throw Broken(subject.driver.empty() ? "it has several drivers: " + names + "; name one"
                                        : "it has no driver " + subject.driver + "; it has " + names);
  fill_in(options_, "{folder}", folder_);
  fill_in(options_, "{id}", id_);
  if (subject.complete) {
    try {
      options_ = subject.complete(*driver_, options_);
    } catch (const std::exception &e) {
      throw Broken(std::string("the options do not fit its schema: ") + e.what());
    }
  }
}

Bench::~Bench() { close(); }

std::unique_ptr<Children> Bench::open_children() {
  if (!is_layer()) return nullptr;
  if (!subject_.children) throw Skipped("it is a layer, and there is no store below it");
  return subject_.children(folder_, driver_->min_children);
}

Store &Bench::store() {
  if (!opened_) {
    auto opened = std::make_unique<Opened>();
    opened->children = open_children();
    const std::vector<const omnistore_store *> stores =
        opened->children ? opened->children->stores() : std::vector<const omnistore_store *>();
    opened->store = std::make_unique<Store>(*driver_, options_, stores);
    opened_ = std::move(opened);
  }
  return *opened_->store;
}

std::unique_ptr<Store> Bench::another() {
  std::unique_ptr<Children> children = open_children();
  const std::vector<const omnistore_store *> stores =
      children ? children->stores() : std::vector<const omnistore_store *>();
  others_.push_back(std::move(children));
  return std::make_unique<Store>(*driver_, options_, stores);
}

void Bench::close() {
  if (!opened_) return;
  opened_->store.reset();
  opened_.reset();
}

void Bench::tidy() noexcept {
  try {
    if (subject_.options.find("{folder}") != std::string::npos || subject_.options.find("{id}") != std::string::npos)
      return;
    Store &store = this->store();
    if (store.traits().keeps < OMNISTORE_KEEPS_PROCESS || store.can(OMNISTORE_READS_ONLY)) return;
    for (const std::string &each : store.keys(base_)) store.remove(each);
  } catch (...) {
  }
}

} // namespace omnistore::kit
