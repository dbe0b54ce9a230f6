/**
 * Wireshark's side of a capture: the extcap interface (https://www.wireshark.org/docs/wsdg_html_chunked/ChCaptureExtcap.html), by
 * which Wireshark asks a program for its interfaces and has it write a capture into a pipe. Pure: text in, text out.
 */

/** A switch that can be captured. */
export interface ExtcapSwitch {
  name: string;
  socket: string;
}

/** What Wireshark asks for. */
export type ExtcapRequest =
  | { ask: 'interfaces' }
  | { ask: 'dlts'; socket: string }
  | { ask: 'config'; socket: string }
  | { ask: 'capture'; socket: string; fifo: string; snaplen?: number; filter: string[]; places: string[] };

/** Prefix of the names of interfaces, in front of the control socket's path. */
const PREFIX = 'overtap:';

/** Reads the words that Wireshark gives. @returns null when it is nothing that Wireshark asks */
export function readExtcap(words: readonly string[]): ExtcapRequest | null {
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const [name, ...value] = words[at].split('=');
    if (value.length > 0) options.set(name, value.join('='));
    else if (words[at + 1]?.startsWith('--') === false) options.set(name, words[++at]);
    else options.set(name, '');
  }
  if (options.has('--extcap-interfaces')) return { ask: 'interfaces' };
  const socket = (options.get('--extcap-interface') ?? '').replace(PREFIX, '');
  if (socket === '') return null;
  if (options.has('--extcap-dlts')) return { ask: 'dlts', socket };
  if (options.has('--extcap-config')) return { ask: 'config', socket };
  const fifo = options.get('--fifo') ?? '';
  if (!options.has('--capture') || fifo === '') return null;
  const wordsOf = (text = ''): string[] => text.split(/[\s,]+/).filter((word) => word !== '');
  const snaplen = Number(options.get('--snaplen'));
  return {
    ask: 'capture',
    socket,
    fifo,
    ...(Number.isInteger(snaplen) && snaplen > 0 ? { snaplen } : {}),
    filter: wordsOf(options.get('--filter')),
    places: wordsOf(options.get('--places')),
  };
}

/** The answer to `--extcap-interfaces`. */
export function interfacesText(version: string, switches: readonly ExtcapSwitch[]): string {
  const lines = switches.map(
    ({ name, socket }) => `interface {value=${PREFIX}${safe(socket)}}{display=overtap ${safe(name)}}`,
  );
  return [`extcap {version=${version}}{display=overtap}`, ...lines, ''].join('\n');
}

/** The answer to `--extcap-dlts`. */
export const DLTS_TEXT = 'dlt {number=1}{name=EN10MB}{display=Ethernet}\n';

/** The answer to `--extcap-config`. */
export const CONFIG_TEXT = [
  'arg {number=0}{call=--places}{display=Ports and remotes}{type=string}{tooltip=Separated by commas; empty: all}',
  'arg {number=1}{call=--filter}{display=Filter}{type=string}{tooltip=Such as: vlan 10 ip 10.0.0.2}',
  'arg {number=2}{call=--snaplen}{display=Bytes of a packet}{type=unsigned}{range=1,262144}{default=262144}',
  '',
].join('\n');

/** Braces would end a value. */
const safe = (text: string): string => text.replace(/[{}\n]/g, '_');

/** The mark by which a script is known to be overtap's own. */
export const EXTCAP_MARK = '# overtap extcap';

/** The script in Wireshark's folder. @param command that runs overtap, quoted for a shell */
export function extcapScript(command: string): string {
  return `#!/bin/sh
${EXTCAP_MARK}: made by "overtap capture --install-extcap"
exec ${command} capture --extcap -- "$@"
`;
}
