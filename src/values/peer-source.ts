/** Values that say where a switch gets its peers from: files, name servers, etcd. Each reader checks one value alone. */
import { type ListenAddress, readListenAddress } from './access.js';
import { canonicalIp, Refusal, readHostIp } from './address.js';
import { quote } from './show.js';

const DNS_PORT = 53;
/** Bytes, without the terminating NUL (PATH_MAX of linux/limits.h is 4096). */
const PATH_MAX = 4095;
const PREFIX_MAX = 255;
const URL_MAX = 255;

/** Reads the absolute path of a file: the folder of whoever types it is not that of the switch. */
export function readFilePath(path: string): string | Refusal {
  if (!path.startsWith('/'))
    return new Refusal(`expected an absolute path, such as /etc/overtap/peers.yaml, found ${quote(path)}`);
  if (path.endsWith('/') || path.includes('\0'))
    return new Refusal(`expected the path of a file, found ${quote(path)}`);
  const bytes = Buffer.byteLength(path);
  return bytes <= PATH_MAX ? path : new Refusal(`the path has ${bytes} bytes; it may have ${PATH_MAX}`);
}

/** Reads the address of a name server, with or without a port. @returns ADDRESS:PORT */
export function readNameServer(text: string): string | Refusal {
  const ip = canonicalIp(text);
  const server = ip === undefined ? readListenAddress(text) : { address: ip.text, port: DNS_PORT };
  if (server instanceof Refusal)
    return new Refusal(
      `expected the address of a name server, such as 192.0.2.53 or "[2001:db8::53]:5353", found ${quote(text)}`,
    );
  const host = readHostIp(server.address);
  return host instanceof Refusal ? host : endpointText(server);
}

/** Reads the URL of a member of an etcd cluster. @returns it without a path, with its port */
export function readEtcdEndpoint(text: string): string | Refusal {
  const [, scheme = '', host = '', port = '2379'] =
    /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?\/?$/i.exec(text.slice(0, URL_MAX + 1)) ?? [];
  const number = Number(port);
  const isHost = !host.startsWith('[') || canonicalIp(host.slice(1, -1))?.family === 6;
  if (scheme !== '' && isHost && number >= 1 && number <= 65_535)
    return `${scheme.toLowerCase()}://${host.toLowerCase()}:${number}`;
  const remedy = /^https?:\/\/[^/]*@/.test(text) ? '; the user is in "etcd: { user: NAME }"' : '';
  return new Refusal(`expected the URL of an etcd, such as http://192.0.2.5:2379, found ${quote(text)}${remedy}`);
}

/** Reads what the keys of a fabric begin with. @returns it without a slash at its end */
export function readEtcdPrefix(text: string): string | Refusal {
  const prefix = text.replace(/\/$/, '');
  if (/^\/[\x21-\x7e]+$/.test(prefix) && prefix.length <= PREFIX_MAX) return prefix;
  return new Refusal(
    `expected a prefix of keys, such as /overtap/fabric1, of at most ${PREFIX_MAX} characters, found ${quote(text)}`,
  );
}

function endpointText({ address, port }: ListenAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
