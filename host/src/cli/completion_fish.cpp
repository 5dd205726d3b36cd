// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

namespace omnistore::cli {
namespace {

constexpr const char *fish_helpers = R"FISH(# fish completion of omnistore, made by `omnistore completion fish`

# Succeeds if the line is at a place of a command: the command (empty: none yet), the number of words after it, or
# nothing for any place. The options of all commands before the cursor, such as --url, are kept in __omnistore_asked.
function __omnistore_at
    set -l words (commandline -opc)
    set -l command ''
    set -l places 0
    set -l value 0
    set -g __omnistore_asked
    for word in $words[2..]
        if test $value -gt 0
            test $value = 2; and set -a __omnistore_asked $word
            set value 0
            continue
        end
        if contains -- "$word" $__omnistore_globals
            set value 2
            set -a __omnistore_asked $word
        else if contains -- "$command $word" $__omnistore_options
            set value 1
        else if string match -qr -- '^--[a-z-]+=' "$word"
            contains -- (string replace -r '=.*' '' -- "$word") $__omnistore_globals; and set -a __omnistore_asked $word
        else if string match -q -- '-*' "$word"
            continue
        else if test -z "$command"
            set command $word
        else
            set places (math $places + 1)
        end
    end
    test "$command" = "$argv[1]"; or return 1
    test (count $argv) -lt 2; or test "$places" = "$argv[2]"
end

# Of a running host alone: a config's stores would have to be opened for them.
function __omnistore_keys
    set -q OMNISTORE_URL; or string match -qr -- '^--url' $__omnistore_asked; or return
    set -l base (string replace -r '[^:]*$' '' -- (commandline -ct))
    command omnistore $__omnistore_asked ls -q --limit 50 $base 2>/dev/null
end

function __omnistore_drivers
    command omnistore $__omnistore_asked drivers 2>/dev/null | string match -rg '^([^ :]+) [0-9]' | sort -u
end

)FISH";

/// Quotes a text.
std::string fish_text(const std::string &text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

/// Returns the arguments of `complete` that offer these words.
std::string fish_offer(const Candidates &candidates) {
  switch (candidates.kind) {
  case Candidates::Kind::files:
    return " -F";
  case Candidates::Kind::keys:
    return " -f -a '(__omnistore_keys)'";
  case Candidates::Kind::drivers:
    return " -f -a '(__omnistore_drivers)'";
  case Candidates::Kind::words: {
    std::string words;
    for (const std::string &word : candidates.words) words += (words.empty() ? "" : " ") + word;
    return " -f -a " + fish_text(words);
  }
  case Candidates::Kind::any:
    break;
  }
  return " -f";
}

void fish_option(std::string &script, const std::string &condition, const CompletedOption &option) {
  script += "complete -c omnistore" + condition;
  for (const std::string &name : option.names)
    script += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.value.empty()) script += " -r" + fish_offer(option.candidates);
  script += " -d " + fish_text(option.summary) + "\n";
}

} // namespace

std::string fish_completion(const Completed &line) {
  std::string script = fish_helpers, globals, options;
  for (const CompletedOption &option : line.options)
    for (const std::string &name : option.names)
      if (!option.value.empty()) globals += " " + name;
  for (const CompletedCommand &command : line.commands)
    for (const CompletedOption &option : command.options)
      for (const std::string &name : option.names)
        if (!option.value.empty()) options += " " + fish_text(command.name + " " + name);
  script += "set -g __omnistore_globals" + globals + "\nset -g __omnistore_options" + options + "\n";
  script += "complete -c omnistore -e\ncomplete -c omnistore -f\n";
  for (const CompletedOption &option : line.options) fish_option(script, "", option);
  for (const CompletedCommand &command : line.commands) {
    script += "complete -c omnistore -n '__omnistore_at \"\"' -a " + command.name + " -d " +
              fish_text(command.summary) + "\n";
    for (const CompletedOption &option : command.options)
      fish_option(script, " -n '__omnistore_at " + command.name + "'", option);
    for (std::size_t i = 0; i < command.places.size(); ++i) {
      const std::string place = command.places[i].repeats ? "" : " " + std::to_string(i);
      if (command.places[i].candidates.kind != Candidates::Kind::any)
        script += "complete -c omnistore -n '__omnistore_at " + command.name + place + "'" +
                  fish_offer(command.places[i].candidates) + "\n";
    }
  }
  return script;
}

} // namespace omnistore::cli
