// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <conformance/kit.hpp>
#include <conformance/rule.hpp>

#include "base/printable.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/find_config.hpp"
#include "cli/output.hpp"
#include "cli/over.hpp"
#include "config/schema.hpp"
#include "storage/plan.hpp"
#include "storage/store.hpp"

namespace omnistore::cli {
namespace {

/// The stores under a layer, opened as a host opens them.
class Opened : public kit::Children {
public:
  Opened(const std::vector<StoreConfig> &configs, loader::Registry &registry) : tasks_(std::make_shared<Tasks>()) {
    for (const StoreConfig &config : configs) {
      std::vector<Problem> problems;
      plans_.push_back(plan(config, registry, false, problems, *Background::make()));
      if (!problems.empty()) throw Error(Status::invalid, "--over " + config.driver + ": " + problems[0].text());
    }
    for (const Plan &each : plans_)
      stores_.push_back(Store::open(each, tasks_, "kit", std::chrono::steady_clock::now() + std::chrono::seconds(10)));
  }
  std::vector<const omnistore_store *> stores() const override {
    std::vector<const omnistore_store *> all;
    for (const auto &store : stores_) all.push_back(&store->handle());
    return all;
  }

private:
  std::shared_ptr<Tasks> tasks_;
  std::vector<Plan> plans_;
  std::vector<std::unique_ptr<Store>> stores_;
};

std::string with_folder(std::string text, const std::string &folder) {
  constexpr std::string_view mark = "{folder}";
  for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += folder.size())
    text.replace(at, mark.size(), folder);
  return text;
}

std::string complete(const omnistore_driver &driver, const std::string &options) {
  boost::json::object schema;
  if (!driver.options_schema)
    schema["type"] = "object"; // it takes no options
  else if (const std::string wrong = config::check_schema(driver.options_schema, schema); !wrong.empty())
    throw Error(Status::invalid, wrong);
  boost::json::value value = boost::json::parse(options);
  std::vector<Problem> problems;
  config::validate(schema, value, "options", nullptr, problems);
  if (!problems.empty()) throw Error(Status::invalid, problems[0].text() + " (they are given with --options)");
  return boost::json::serialize(value);
}

kit::Subject subject_of(const Global &global, const TestDriver &options) {
  kit::Subject subject;
  subject.file = std::filesystem::absolute(options.file).lexically_normal();
  subject.driver = options.driver;
  subject.options = options.options;
  boost::json::error_code failed;
  if (const auto value = boost::json::parse(options.options, failed); failed || !value.is_object())
    throw Failure(Status::invalid, "--options: expected a JSON object, found " + base::printable(options.options),
                  R"(as in --options '{"base": "{folder}"}')");
  subject.complete = &complete;
  subject.check_schema = [](std::string_view schema) {
    boost::json::object ignored;
    return config::check_schema(schema, ignored);
  };
  std::vector<StoreConfig> over;
  for (const std::string &each : options.over) over.push_back(read_over(each));
  if (over.empty()) over.push_back(read_over("memory"));
  subject.children = [over, global](const std::string &folder, std::uint32_t least) {
    std::vector<StoreConfig> configs = over;
    while (configs.size() < least) configs.push_back(configs.back());
    for (std::size_t i = 0; i < configs.size(); ++i)
      configs[i].options = with_folder(configs[i].options, folder + "/" + std::to_string(i));
    static const std::shared_ptr<loader::Registry> registry = registry_of(global);
    return std::make_unique<Opened>(configs, *registry);
  };
  return subject;
}

std::string seconds(std::chrono::milliseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(time.count()) / 1000);
  return text;
}

bool is_fine(const kit::Result &result) {
  return result.outcome == kit::Outcome::kept || result.outcome == kit::Outcome::skipped;
}

void print(const kit::Result &result, bool all) {
  if (is_fine(result) && !all) return;
  Output out;
  const Colour colour = result.outcome == kit::Outcome::kept ? Colour::green
                        : is_fine(result)                    ? Colour::yellow
                                                             : Colour::red;
  std::string name(kit::name_of(result.outcome));
  name.resize(8, ' ');
  std::string text = paint(colour, name, results()) + std::string(result.rule->name);
  if (!result.reason.empty()) {
    std::string reason = result.reason; // its lines stay lines
    std::string shown;
    for (std::size_t at = 0; at <= reason.size();) {
      const std::size_t end = std::min(reason.find('\n', at), reason.size());
      shown += (at ? "\n" : "") + base::printable(std::string_view(reason).substr(at, end - at));
      at = end + 1;
    }
    text += is_fine(result) ? ": " + shown : "\n  " + shown;
  }
  if (!is_fine(result)) text += "\n  the rule: " + std::string(result.rule->says);
  out.line(text);
  out.flush();
}

/// The reasons of broken rules. If a driver does not open, they all have the same one.
class Reasons {
public:
  /// Returns true if no rule before was broken for this reason.
  bool is_new(const kit::Result &result) {
    if (is_fine(result) || result.reason.empty()) return true;
    const auto [at, added] = first_.try_emplace(result.reason, Rule{result.rule->name, 0});
    if (!added) ++at->second.others;
    return added;
  }
  void print_others() const {
    Output out;
    for (const auto &[reason, rule] : first_) {
      if (rule.others == 0) continue;
      out.line(std::to_string(rule.others) + (rule.others == 1 ? " other rule is" : " other rules are") +
               " broken for the same reason as " + std::string(rule.name));
    }
    out.flush();
  }

private:
  struct Rule {
    std::string_view name;
    std::size_t others;
  };
  std::map<std::string, Rule> first_;
};

/// One line on standard error that is rewritten after each rule, if a person is there to read it.
class ProgressLine {
public:
  ProgressLine(const Global &global, std::size_t rules)
      : shown_(is_terminal(STDERR_FILENO) && !global.quiet && !global.json), rules_(rules) {
    show(text());
  }
  /// Removes the line, so that a result can be printed in its place.
  void clear() const { show(""); }
  void add(const kit::Result &result) {
    ++done_;
    broken_ += !is_fine(result);
    show(text());
  }

private:
  const bool shown_;
  const std::size_t rules_;
  std::size_t done_ = 0, broken_ = 0;

  std::string text() const {
    return std::to_string(done_) + " of " + std::to_string(rules_) + " rules" +
           (broken_ ? ", " + std::to_string(broken_) + " broken" : "");
  }
  void show(const std::string &text) const {
    if (shown_) show_progress(text);
  }
};

void list_rules(bool json) {
  Output out;
  for (const kit::Rule *rule : kit::all_rules()) {
    if (json) {
      out.json(boost::json::object{{"name", rule->name}, {"says", rule->says}});
    } else {
      std::string name(rule->name);
      name.resize(std::max<std::size_t>(name.size() + 1, 26), ' ');
      out.line(name + std::string(rule->says));
    }
  }
  out.flush();
}

} // namespace

int run(const Global &global, const TestDriver &options) {
  if (options.list) {
    list_rules(global.json);
    return 0;
  }
  if (options.file.empty())
    throw Failure(Status::invalid, "test-driver: FILE is missing", "`omnistore test-driver ./thing.so`");
  const kit::Subject subject = subject_of(global, options);
  kit::How how;
  how.seed = options.seed ? *options.seed : std::random_device()();
  how.longer = options.longer;
  how.only = options.rules;
  how.here = options.here;
  if (options.jobs) how.jobs = options.jobs;
  const auto begun = std::chrono::steady_clock::now();
  std::vector<kit::Result> results;
  Reasons reasons;
  try {
    ProgressLine progress(global, how.only.empty() ? kit::all_rules().size() : how.only.size());
    results = kit::try_rules(subject, how, [&](const kit::Result &result) {
      progress.clear();
      const bool all = options.all || global.verbose;
      if (!global.json && (reasons.is_new(result) || all)) print(result, all);
      progress.add(result);
    });
    progress.clear();
  } catch (const kit::NothingToTest &error) {
    throw Error(Status::invalid, error.what());
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  std::size_t kept = 0, skipped = 0;
  for (const kit::Result &each : results) {
    kept += each.outcome == kit::Outcome::kept;
    skipped += each.outcome == kit::Outcome::skipped;
  }
  const std::size_t broken = results.size() - kept - skipped;
  if (!options.junit.empty()) {
    std::ofstream file(options.junit);
    file << kit::junit(subject, results) << std::flush;
    if (!file) throw Error(Status::io, "--junit: " + options.junit + " cannot be written");
  }
  if (!global.json && !options.all && !global.verbose) reasons.print_others();
  Output out;
  if (global.json) {
    boost::json::array rules;
    for (const kit::Result &each : results)
      rules.push_back(boost::json::object{{"name", each.rule->name},
                                          {"outcome", kit::name_of(each.outcome)},
                                          {"reason", each.reason},
                                          {"says", each.rule->says},
                                          {"milliseconds", each.took.count()}});
    out.json(boost::json::object{{"file", subject.file},
                                 {"seed", how.seed},
                                 {"kept", kept},
                                 {"broken", broken},
                                 {"skipped", skipped},
                                 {"milliseconds", took.count()},
                                 {"rules", std::move(rules)}});
  } else {
    out.line(std::to_string(results.size()) + " rules: " + std::to_string(kept) + " kept, " + std::to_string(broken) +
             " broken, " + std::to_string(skipped) + " do not apply; " + seconds(took) + ", seed " +
             std::to_string(how.seed));
  }
  out.flush();
  return broken ? exit_code(Status::internal) : 0;
}

} // namespace omnistore::cli
