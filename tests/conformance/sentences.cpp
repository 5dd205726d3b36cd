// SPDX-License-Identifier: Apache-2.0
// Each sentence of the public C headers is proved by a rule of the kit, or by the tests that proofs.txt names.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>

#include <conformance/rule.hpp>

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path &file) {
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

std::string joined(const std::string &text) { // with single spaces
  std::string words;
  std::istringstream in(text);
  for (std::string word; in >> word;) words += (words.empty() ? "" : " ") + word;
  return words;
}

/// The sentences of a comment. A blank line, an item of a list and a tag such as [call] begin a new one.
void add_sentences(const std::string &comment, std::vector<std::string> &to) {
  static const std::regex item(R"re((- |\[[a-z]+\]|"[a-zA-Z_, "]+" {2,}).*)re"),
      end(R"re(\.\)? (?=[A-Z`*\[('"0-9]))re"), no_sentence(R"re(\[[a-z]+\]|-+ [a-z' ]+( -+)?|[A-Z_]+_H|SPDX.*)re");
  std::vector<std::string> parts(1);
  std::istringstream in(comment);
  for (std::string line; std::getline(in, line);) {
    line.erase(0, line.find_first_not_of(" *"));
    if (line.empty() || std::regex_match(line, item)) parts.emplace_back();
    parts.back() += line + ' ';
  }
  for (const std::string &part : parts) {
    std::string rest = joined(part);
    while (!rest.empty()) {
      std::smatch found;
      const bool more = std::regex_search(rest, found, end);
      std::string sentence =
          more ? joined(rest.substr(0, static_cast<std::size_t>(found.position() + found.length()))) : rest;
      rest = more ? found.suffix().str() : std::string();
      if (!std::regex_match(sentence, no_sentence)) to.push_back(std::move(sentence));
    }
  }
}

std::vector<std::string> sentences() {
  std::vector<fs::path> headers = {OMNISTORE_SOURCE "/sdk/include/omnistore/driver.h"};
  for (const auto &each : fs::directory_iterator(OMNISTORE_SOURCE "/sdk/include/omnistore/ext"))
    headers.push_back(each);
  std::sort(headers.begin() + 1, headers.end());
  std::vector<std::string> all;
  for (const fs::path &header : headers) {
    const std::string text = text_of(header);
    for (std::size_t at = text.find("/*"); at != text.npos; at = text.find("/*", at)) {
      const std::size_t end = text.find("*/", at);
      add_sentences(text.substr(at + 2, end - at - 2), all);
      at = end;
    }
  }
  return all;
}

/// An entry of proofs.txt: sentences, and what proves them.
struct Entry {
  std::vector<std::string> sentences;
  std::vector<std::pair<std::string, std::string>> proofs; ///< kind and name
};

std::vector<Entry> entries() {
  std::vector<Entry> all;
  std::istringstream in(text_of(OMNISTORE_SOURCE "/tests/conformance/proofs.txt"));
  bool proofs = true;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] != ' ') {
      if (proofs) all.emplace_back();
      proofs = false;
      all.back().sentences.push_back(line);
    } else {
      proofs = true;
      line = line.substr(line.find_first_not_of(' '));
      const std::size_t space = line.find(' ');
      all.back().proofs.emplace_back(line.substr(0, space), space == line.npos ? "" : line.substr(space + 1));
    }
  }
  return all;
}

/// An entry's line is a whole sentence, or the first words of some and "...".
bool means(const std::string &line, const std::string &sentence) {
  if (line.ends_with("...")) return sentence.starts_with(line.substr(0, line.size() - 3));
  return line == sentence;
}

/// The names of all tests: those of TEST_CASE, and those in quotes in a CMakeLists.txt.
std::set<std::string> tests() {
  static const std::regex cases(R"re(TEST_CASE\(\s*"((?:[^"\\]|\\.)*)")re"), names(R"re("([^"]*)")re");
  std::set<std::string> all;
  for (const auto &each : fs::recursive_directory_iterator(OMNISTORE_SOURCE "/tests")) {
    const bool cmake = each.path().filename() == "CMakeLists.txt";
    if (!cmake && each.path().extension() != ".cpp") continue;
    const std::string text = text_of(each);
    for (auto at = std::sregex_iterator(text.begin(), text.end(), cmake ? names : cases); at != std::sregex_iterator();
         ++at)
      all.insert((*at)[1]);
  }
  return all;
}

bool quoted(const std::string &sentence) {
  const auto &rules = omnistore::kit::all_rules();
  return std::any_of(rules.begin(), rules.end(), [&](const omnistore::kit::Rule *rule) {
    return sentence.find(joined(std::string(rule->says))) != sentence.npos;
  });
}

} // namespace

TEST_CASE("Each sentence of the headers is proved by a rule of the kit or a test") {
  const std::vector<Entry> all = entries();
  std::map<std::string, int> counts;
  for (const std::string &sentence : sentences()) {
    INFO(sentence);
    const auto has = [&](const Entry &entry) {
      return std::any_of(entry.sentences.begin(), entry.sentences.end(),
                         [&](const std::string &line) { return means(line, sentence); });
    };
    const auto found = std::find_if(all.begin(), all.end(), has);
    const bool by_rule = quoted(sentence);
    CHECK((by_rule || found != all.end()));
    if (found != all.end()) CHECK(std::count_if(found + 1, all.end(), has) == 0);
    ++counts["sentences"];
    if (by_rule)
      ++counts["quoted by a rule"];
    else if (found != all.end())
      ++counts["by " + found->proofs.front().first];
  }
  for (const auto &[what, count] : counts) WARN(what << ": " << count);
}

TEST_CASE("Each entry of proofs.txt is about a sentence of the headers, and its proofs exist") {
  const std::vector<std::string> all = sentences();
  const std::set<std::string> known = tests();
  std::set<std::string> rules;
  for (const omnistore::kit::Rule *rule : omnistore::kit::all_rules()) rules.insert(std::string(rule->name));
  for (const Entry &entry : entries()) {
    for (const std::string &line : entry.sentences) {
      INFO(line);
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const std::string &sentence) { return means(line, sentence); });
      CHECK(found != all.end());
      CHECK_FALSE(entry.proofs.empty());
      if (found != all.end() && !entry.proofs.empty() && entry.proofs[0].first == "text") CHECK_FALSE(quoted(*found));
    }
    for (const auto &[kind, name] : entry.proofs) {
      INFO(entry.sentences[0] << ": " << kind << ' ' << name);
      if (kind == "rule")
        CHECK(rules.contains(name));
      else if (kind == "test")
        CHECK(known.contains(name));
      else
        CHECK((entry.proofs.size() == 1 && (kind == "text" ? name.empty() : kind == "unproved" && !name.empty())));
    }
  }
}
