# SPDX-License-Identifier: Apache-2.0
# zsh -f complete.zsh SCRIPT LINE: prints what zsh offers at the end of LINE, a word a line, when SCRIPT is its completion
# of omnistore. It types LINE and a tab into a shell on a terminal of its own, in which compadd prints the words.
zmodload zsh/zpty || exit 1
setopt extendedglob
export OMNISTORE_COMPLETION=$1 TERM=dumb
zpty inner zsh -f -i
setup=$(mktemp)
trap 'rm -f $setup' EXIT
# A search of all completions for their commands would take seconds: this dump, which compinit takes as it is, only names
# the functions.
cat > $setup <<'END'
PROMPT=
autoload -Uz compinit && compinit -C -d <(print 'autoload -Uz ${^fpath}/_*(N:t)')
source $OMNISTORE_COMPLETION
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
mark() { print -r -- $'\0' }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -A hits "$@"
  (( ! $#hits )) || print -rl -- $hits
  builtin compadd "$@"
}
print ready
END
zpty -w inner "source $setup"
while zpty -r inner line && [[ $line != *ready* ]]; do :; done
zpty -w inner "$2"$'\t'
integer marks=0
while zpty -r inner line; do
  line=${${line//[$'\r\n']/}//$'\e'\[[0-9?;]#[a-zA-Z]/} # without what moves the cursor
  if [[ $line == *$'\0'* ]]; then
    (( marks++ )) && exit 0
    continue
  fi
  (( ! marks )) || print -r -- $line
done
