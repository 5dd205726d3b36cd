// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

namespace omnistore::cli {
namespace {

constexpr const char *zsh_helpers = R"ZSH(#compdef omnistore
# zsh completion of omnistore, made by `omnistore completion zsh`

# Of a running host alone: a config's stores would have to be opened for them.
_omnistore_keys() {
  [[ -n $OMNISTORE_URL || " $asked" == *' --url'* ]] || return 1
  local -a found
  found=(${(f)"$(command omnistore $asked ls -q --limit 50 ${PREFIX%${PREFIX##*:}} 2>/dev/null)"})
  compadd -a found
}

_omnistore_drivers() {
  local -a found
  found=(${${(f)${"$(command omnistore $asked drivers 2>/dev/null)"%%$'\n\n'*}}:#' '*})
  found=(${found%% *})
  compadd -a found
}

)ZSH";

/// A text within single quotes, as part of a specification of _arguments.
std::string zsh_text(const std::string &text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'')
      result += "'\\''";
    else if (c == '[' || c == ']' || c == ':' || c == '\\')
      result += std::string("\\") + c;
    else
      result += c;
  }
  return result;
}

std::string zsh_action(const Candidates &candidates) {
  switch (candidates.kind) {
  case Candidates::Kind::files:
    return "_files";
  case Candidates::Kind::keys:
    return "_omnistore_keys";
  case Candidates::Kind::drivers:
    return "_omnistore_drivers";
  case Candidates::Kind::words: {
    std::string words;
    for (const std::string &word : candidates.words) words += (words.empty() ? "" : " ") + zsh_text(word);
    return "(" + words + ")";
  }
  case Candidates::Kind::any:
    break;
  }
  return " ";
}

void zsh_options(std::string &script, const std::string &indent, const std::vector<CompletedOption> &options) {
  for (const CompletedOption &option : options)
    for (const std::string &name : option.names) {
      script += indent + "'";
      if (option.names.size() > 1) {
        script += "(";
        for (const std::string &other : option.names) script += (&other == option.names.data() ? "" : " ") + other;
        script += ")";
      }
      const bool is_long = name.starts_with("--");
      script += name + (option.value.empty() ? "" : is_long ? "=" : "+") + "[" + zsh_text(option.summary) + "]";
      if (!option.value.empty()) script += ":" + zsh_text(option.value) + ":" + zsh_action(option.candidates);
      script += "'\n";
    }
}

} // namespace

std::string zsh_completion(const Completed &line) {
  std::string script = zsh_helpers;
  script += R"ZSH(_omnistore() {
  local curcontext=$curcontext state line name
  local -a globals commands asked
  local -A opt_args
  globals=(
)ZSH";
  zsh_options(script, "    ", line.options);
  script += "  )\n  commands=(\n";
  for (const CompletedCommand &command : line.commands)
    script += "    '" + command.name + ":" + zsh_text(command.summary) + "'\n";
  script += R"ZSH(  )
  _arguments -C -s $globals ':command:->command' '*:: :->place'
  for name in --config --profile --url --admin-url --token --ca --cert --key; do
    (( ! ${+opt_args[$name]} )) || asked+=($name ${(Q)opt_args[$name]})
  done
  case $state in
  command) _describe -t commands command commands ;;
  place)
    curcontext=${curcontext%:*:*}:omnistore-$line[1]:
    case $line[1] in
)ZSH";
  for (const CompletedCommand &command : line.commands) {
    script += "    " + command.name + ")\n      _arguments -s $globals \\\n";
    std::string specifications;
    zsh_options(specifications, "", command.options);
    for (const CompletedPlace &place : command.places)
      specifications += std::string("'") + (place.repeats ? "*:" : ":") + zsh_text(place.name) + ":" +
                        zsh_action(place.candidates) + "'\n";
    for (std::size_t at = 0, end; at < specifications.size(); at = end + 1) {
      end = specifications.find('\n', at);
      script += "        " + specifications.substr(at, end - at) + " \\\n";
    }
    script += "        && return\n      ;;\n";
  }
  script += R"ZSH(    esac
    ;;
  esac
}

if [[ $funcstack[1] == _omnistore ]]; then
  _omnistore "$@"
else
  compdef _omnistore omnistore
fi
)ZSH";
  return script;
}

} // namespace omnistore::cli
