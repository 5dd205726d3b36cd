// SPDX-License-Identifier: Apache-2.0
#include "cli/completion.hpp"

namespace omnistore::cli {
namespace {

constexpr const char *bash_helpers = R"BASH(# bash completion of omnistore, made by `omnistore completion bash`

# Takes lines, and offers those that begin as the word does, quoted: a key may hold what a shell would run. What readline
# keeps of the word is left out.
__omnistore_offer() {
  local each
  while IFS= read -r each; do
    [[ $each == "$cur"* ]] && COMPREPLY+=("$(printf %q "${each#"$kept"}")")
  done
  return 0
}

__omnistore_files() {
  local each
  compopt -o filenames 2>/dev/null
  while IFS= read -r each; do COMPREPLY+=("$each"); done < <(compgen -f -- "$cur")
}

# Of a running host alone: a config's stores would have to be opened for them.
__omnistore_keys() {
  [[ -n ${OMNISTORE_URL-} || " ${asked[*]}" == *' --url'* ]] || return 0
  local -a run=("${COMP_WORDS[0]}" "${asked[@]}" ls -q --limit 50)
  local base=${cur%"${cur##*:}"}
  [[ -z $base ]] || run+=("$base")
  if command -v timeout >/dev/null; then run=(timeout 2 "${run[@]}"); fi
  __omnistore_offer < <("${run[@]}" 2>/dev/null)
}

__omnistore_drivers() {
  local each
  __omnistore_offer < <("${COMP_WORDS[0]}" "${asked[@]}" drivers 2>/dev/null | while IFS= read -r each && [[ -n $each ]]; do
    [[ $each == ' '* ]] || printf '%s\n' "${each%% *}"
  done)
}

_omnistore() {
  COMPREPLY=()
  # readline parts words at ':' and '=': what belongs together is made one again.
  local -a words=()
  local i word
  for ((i = 1; i <= COMP_CWORD; ++i)); do
    word=${COMP_WORDS[i]}
    if ((${#words[@]} > 0)) && [[ -n $word && $word != -* && (${words[-1]} == *[:=] || $word == [:=]*) ]]; then
      words[-1]+=$word
    else
      words+=("$word")
    fi
  done
  local cur=${words[-1]} command= option= places=0 where=0
  local -a asked=() # the options that say which host or config
  unset 'words[-1]'
  for word in "${words[@]}"; do
    if [[ -n $option ]]; then
      option=
      if ((where)); then asked+=("$word"); fi
      continue
    fi
    where=0
    case "$command $word" in
)BASH";

/// Words as bash reads them, each quoted. Names and words of the parser hold no quotes.
std::string bash_words(const std::vector<std::string> &words, const char *before, const char *between) {
  std::string text;
  for (const std::string &word : words) text += (text.empty() ? "'" : std::string(between) + "'") + before + word + "'";
  return text;
}

/// Returns the pattern of "$command $option" for an option; `command` is empty for an option of all commands.
std::string bash_pattern(const std::string &command, const CompletedOption &option) {
  const std::string before = command.empty() ? " " : command + " ";
  std::string text;
  for (const std::string &name : option.names)
    text += (text.empty() ? "" : " | ") + std::string(command.empty() ? "*" : "") + "'" + before + name + "'";
  return text;
}

/// Returns the function that offers them; empty if there is none.
std::string bash_offer(const Candidates &candidates) {
  switch (candidates.kind) {
  case Candidates::Kind::files:
    return "__omnistore_files";
  case Candidates::Kind::keys:
    return "__omnistore_keys";
  case Candidates::Kind::drivers:
    return "__omnistore_drivers";
  case Candidates::Kind::words:
    return "__omnistore_offer < <(printf '%s\\n' " + bash_words(candidates.words, "", " ") + ")";
  case Candidates::Kind::any:
    break;
  }
  return {};
}

void bash_case(std::string &script, const std::string &of, const std::string &what) {
  if (!what.empty()) script += "    " + of + ") " + what + " ;;\n";
}

std::vector<std::string> option_names(const std::vector<CompletedOption> &options) {
  std::vector<std::string> names;
  for (const CompletedOption &option : options) names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

} // namespace

std::string bash_completion(const Completed &line) {
  std::string script = bash_helpers;
  for (const CompletedOption &option : line.options) {
    if (option.value.empty()) continue;
    bash_case(script, bash_pattern("", option), "option=$word where=1 asked+=(\"$word\")");
    for (const std::string &name : option.names)
      if (name.starts_with("--")) bash_case(script, "*' " + name + "='*", "asked+=(\"$word\")");
  }
  for (const CompletedCommand &command : line.commands)
    for (const CompletedOption &option : command.options)
      if (!option.value.empty()) bash_case(script, bash_pattern(command.name, option), "option=$word");
  script += R"BASH(    *' -'*) ;;
    ' '*) command=$word ;;
    *) ((++places)) ;;
    esac
  done
  if [[ -z $option && $cur == --*=* ]]; then
    option=${cur%%=*}
    cur=${cur#*=}
  fi
  local kept=
  [[ $COMP_WORDBREAKS != *:* ]] || kept=${cur%"${cur##*:}"}

  if [[ -n $option ]]; then
    case "$command $option" in
)BASH";
  for (const CompletedOption &option : line.options)
    bash_case(script, bash_pattern("", option), bash_offer(option.candidates));
  for (const CompletedCommand &command : line.commands)
    for (const CompletedOption &option : command.options)
      bash_case(script, bash_pattern(command.name, option), bash_offer(option.candidates));
  script += R"BASH(    esac
    return 0
  fi
  if [[ $cur == -* ]]; then
    local -a options=()
    case $command in
)BASH";
  for (const CompletedCommand &command : line.commands)
    if (!command.options.empty())
      bash_case(script, command.name, "options=(" + bash_words(option_names(command.options), "", " ") + ")");
  script += "    esac\n    options+=(" + bash_words(option_names(line.options), "", " ") + R"BASH()
    __omnistore_offer < <(printf '%s\n' "${options[@]}")
    return 0
  fi
  case "$command $places" in
)BASH";
  Candidates commands{Candidates::Kind::words};
  for (const CompletedCommand &command : line.commands) commands.words.push_back(command.name);
  bash_case(script, "' '*", bash_offer(commands));
  for (const CompletedCommand &command : line.commands)
    for (std::size_t i = 0; i < command.places.size(); ++i)
      bash_case(script, "'" + command.name + " " + (command.places[i].repeats ? "'*" : std::to_string(i) + "'"),
                bash_offer(command.places[i].candidates));
  script += "  esac\n  return 0\n}\n\ncomplete -F _omnistore omnistore\n";
  return script;
}

} // namespace omnistore::cli
