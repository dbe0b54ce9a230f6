/** The completion script of fish, which reads the command line as that of bash and zsh does (`posix.ts`). Pure. */
import type { Table } from './table.js';
import { headOf, type LookUp, lookUps } from './text.js';

export function fishScript(table: Table): string {
  return [headOf('fish', '#'), ...lookUps(table, lookUp), FISH].join('\n');
}

const lookUp: LookUp = (name, cases) => {
  const text = cases.map(
    ([key, lines]) => `    case ${quoted(key)}\n      printf '%s\\n' ${lines.map(quoted).join(' ')}\n`,
  );
  return `function ${name}\n  switch $argv[1]\n${text.join('')}  end\nend\n`;
};

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

const FISH = `# Prints the candidates of a value, one a line. $argv: the value, the context, the socket.
function __overtap_resolve
  switch $argv[1]
    case 'words *'
      string split ' ' -- (string replace 'words ' '' -- $argv[1])
    case links bridges ports
      if test -n "$argv[3]"
        overtap -s $argv[3] completion $argv[1] 2>/dev/null
      else
        overtap completion $argv[1] 2>/dev/null
      end
    case devices
      command ls /sys/class/net 2>/dev/null
    case netns
      command ls /run/netns 2>/dev/null
    case options
      __overtap_words $argv[2]
  end
end

# Reads the words before the one to be completed, and prints the candidates for it.
function __overtap_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l command ''
  set -l context ''
  set -l socket ''
  set -l value ''
  set -l before ''
  for word in $words[2..-1]
    if test -n "$value"
      contains -- $before -s --control; and set socket $word
      contains -- "$context $before" 'link add type' 'link set type'; and set context "link type $word"
      set value ''
    else if string match -q -- '-*' $word
      set value (__overtap_value "$command $word")
      test -n "$value"; or set value (__overtap_value $word)
    else
      set -l next (__overtap_context (string trim -- "$context $word"))
      if test -n "$next"
        set context $next
      else
        set value (__overtap_value "$context $word")
      end
      test -n "$command"; or set command $word
    end
    set before $word
  end
  if test "$value" = files
    __fish_complete_path $current
  else if test -n "$value"
    __overtap_resolve "$value" "$context" "$socket"
  else if string match -q -- '-*' $current
    test -n "$command"; and __overtap_options $command
    __overtap_options ''
  else
    __overtap_words $context
    __overtap_resolve (__overtap_rest "$context"; or echo '') "$context" "$socket"
  end
end

complete -c overtap -f -a '(__overtap_complete)'
`;
