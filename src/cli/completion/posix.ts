/** The completion scripts of bash and zsh. The tables and the reading of the command line are the same text in both. Pure. */

import type { Table } from './table.js';
import { headOf, type LookUp, lookUps } from './text.js';

export function bashScript(table: Table): string {
  return `${headOf('bash', '#')}\n${common(table)}\n${BASH}`;
}

export function zshScript(table: Table): string {
  return `#compdef overtap\n${headOf('zsh', '#')}\n${common(table)}\n${ZSH}`;
}

/** The function fails where its argument has no case. */
const lookUp: LookUp = (name, cases) => {
  const lines = cases.map(([key, found]) => `    ${quoted(key)}) printf '%s\\n' ${found.map(quoted).join(' ')} ;;`);
  return `${name}() {\n  case $1 in\n${lines.join('\n')}\n    *) return 1 ;;\n  esac\n}\n`;
};

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function common(table: Table): string {
  return [...lookUps(table, lookUp), COMMON].join('\n');
}

const COMMON = `# Reads the words before the one to be completed.
# Sets __ot_command, __ot_context, __ot_socket, and __ot_value: the value that is to be completed.
__overtap_scan() {
  __ot_command= __ot_context= __ot_socket= __ot_value=
  local word before= next
  for word in "$@"; do
    if [ -n "$__ot_value" ]; then
      case $before in -s | --control) __ot_socket=$word ;; esac
      case "$__ot_context $before" in
        'link add type' | 'link set type') __ot_context="link type $word" ;;
      esac
      __ot_value=
    else
      case $word in
        -*) __ot_value=$(__overtap_value "$__ot_command $word" || __overtap_value "$word") ;;
        *)
          if next=$(__overtap_context "\${__ot_context:+$__ot_context }$word"); then
            __ot_context=$next
          else
            __ot_value=$(__overtap_value "$__ot_context $word")
          fi
          [ -n "$__ot_command" ] || __ot_command=$word
          ;;
      esac
    fi
    before=$word
  done
}

# Prints the candidates of a value, one a line.
__overtap_resolve() {
  case $1 in
    words\\ *) printf '%s\\n' "\${1#words }" | tr ' ' '\\n' ;;
    links | bridges | ports)
      if [ -n "$__ot_socket" ]; then overtap -s "$__ot_socket" completion "$1" 2>/dev/null
      else overtap completion "$1" 2>/dev/null; fi ;;
    devices) command ls /sys/class/net 2>/dev/null ;;
    netns) command ls /run/netns 2>/dev/null ;;
    options) __overtap_words "$__ot_context" ;;
  esac
}

# Prints the candidates for the word that begins with $1, after __overtap_scan.
__overtap_candidates() {
  if [ -n "$__ot_value" ]; then
    __overtap_resolve "$__ot_value"
    return
  fi
  case $1 in
    -*)
      [ -z "$__ot_command" ] || __overtap_options "$__ot_command"
      __overtap_options ''
      ;;
    *)
      __overtap_words "$__ot_context"
      __overtap_resolve "$(__overtap_rest "$__ot_context")"
      ;;
  esac
}
`;

const BASH = `_overtap() {
  # The line itself: bash splits its own list of words at every colon.
  local IFS=$' \\t\\n' line=\${COMP_LINE:0:COMP_POINT} current= candidate
  local -a words
  local __ot_command __ot_context __ot_socket __ot_value
  read -r -a words <<<"$line"
  case $line in
    *[[:space:]]) ;;
    *)
      current=\${words[\${#words[@]} - 1]}
      unset "words[\${#words[@]}-1]"
      ;;
  esac
  __overtap_scan "\${words[@]:1}"
  COMPREPLY=()
  if [ "$__ot_value" = files ]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done < <(compgen -f -- "$current")
    return
  fi
  while IFS= read -r candidate; do
    candidate=\${candidate%%$'\\t'*}
    [[ -n $candidate && $candidate == "$current"* ]] && COMPREPLY+=("$candidate")
  done < <(__overtap_candidates "$current")
}

complete -F _overtap overtap
`;

const ZSH = `_overtap() {
  local __ot_command __ot_context __ot_socket __ot_value line
  local -a described
  __overtap_scan "\${(@)words[2,CURRENT-1]}"
  if [[ $__ot_value == files ]]; then
    _files
    return
  fi
  while IFS= read -r line; do
    [[ -n $line ]] || continue
    if [[ $line == *$'\\t'* ]]; then
      described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    else
      described+=("\${line//:/\\\\:}")
    fi
  done < <(__overtap_candidates "\${words[CURRENT]}")
  _describe -V overtap described
}

# Loaded as a function of this name on the first use, or read by "source".
if [[ $funcstack[1] == _overtap ]]; then
  _overtap "$@"
else
  compdef _overtap overtap
fi
`;
