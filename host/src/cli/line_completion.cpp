// SPDX-License-Identifier: Apache-2.0
// The command that prints completions for a shell: the parser's own commands and options.
#include "cli/completion.hpp"
#include "cli/line.hpp"
#include "cli/output.hpp"

namespace omnistore::cli {
namespace {

Candidates candidates_of(const CLI::Option &option, const std::string &command) {
  const std::string place = option.get_positional() ? option.get_name(true) : std::string();
  const std::string type = option.get_type_name(); // "FILE", "ORDER:{name,keys,size}"
  if (const std::size_t open = type.find('{'); open != type.npos && type.ends_with('}')) {
    Candidates result{Candidates::Kind::words};
    std::string word;
    for (const char c : type.substr(open + 1)) {
      if (c != ',' && c != '}') {
        word += c;
        continue;
      }
      result.words.push_back(std::move(word));
      word.clear();
    }
    return result;
  }
  for (const std::string &name : {place, type})
    if (name == "FILE" || name == "DIR" || name == "FOLDER") return {Candidates::Kind::files};
  if (place == "KEY" || place == "BASE") return {Candidates::Kind::keys};
  if (place == "NAME" && command == "drivers") return {Candidates::Kind::drivers};
  return {};
}

/// "ORDER" of "ORDER:{name,keys,size}".
std::string value_name(const CLI::Option &option) {
  if (option.get_items_expected_max() == 0) return {};
  const std::string type = option.get_type_name();
  return type.empty() ? "TEXT" : type.substr(0, type.find_first_of(": "));
}

void read_options(const CLI::App &app, const std::string &command, std::vector<CompletedOption> &options,
                  std::vector<CompletedPlace> &places) {
  for (const CLI::Option *option : app.get_options()) {
    if (option->get_positional())
      places.push_back({option->get_name(true), option->get_description(), option->get_items_expected_max() > 1,
                        option->get_required(), candidates_of(*option, command)});
    CompletedOption named{{}, option->get_description(), value_name(*option), candidates_of(*option, command)};
    for (const std::string &name : option->get_snames()) named.names.push_back("-" + name);
    for (const std::string &name : option->get_lnames()) named.names.push_back("--" + name);
    if (!named.names.empty()) options.push_back(std::move(named));
  }
}

} // namespace

Completed read_line(CLI::App &app, Line &line) {
  Completed all;
  all.summary = app.get_description();
  all.explanation = app.get_footer();
  std::vector<CompletedPlace> none;
  read_options(app, "", all.options, none);
  for (CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    fill(command, line);
    CompletedCommand &read = all.commands.emplace_back();
    read.name = command->get_name();
    read.summary = command->get_description();
    read.explanation = command->get_footer();
    read_options(*command, read.name, read.options, read.places);
    // --help goes with every command
    std::erase_if(read.options, [](const CompletedOption &option) { return option.names.back() == "--help"; });
  }
  return all;
}

namespace {

void fill_completion(CLI::App &command, Line &line) {
  command.footer(
      R"(An installed omnistore has them where bash-completion, zsh and fish look. Keys are completed on a running host,
where --url or OMNISTORE_URL names it.

Examples
  source <(omnistore completion bash)
  omnistore completion zsh > ~/.zfunc/_omnistore
  omnistore completion fish > ~/.config/fish/completions/omnistore.fish)");
  command.add_option("SHELL", line.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
}

} // namespace

void add_completion(CLI::App &app, Line &line) {
  const char *summary = "Print the script by which a shell completes this command line";
  add(app, line, "completion", summary, fill_completion)->callback([&app, &line] {
    line.action = [&app, &line] {
      const Completed read = read_line(app, line);
      Output out;
      out.write(line.shell == "bash"  ? bash_completion(read)
                : line.shell == "zsh" ? zsh_completion(read)
                                      : fish_completion(read));
      out.flush();
      return 0;
    };
  });
}

} // namespace omnistore::cli
