/**
 * An EVPN neighbour with very many MACs, that one VNI imports:
 *
 *   node routes.js PATH ADDRESS ASN VNI
 *       listens at ADDRESS, port 179, and prints {"up"} when a session is established; {"down"} when it has ended
 *
 * It takes commands at the unix socket PATH, one a line, and prints {"did"} when all bytes of one have gone to the kernel:
 *
 *   announce FIRST COUNT       so many MACs, by their numbers
 *   withdraw FIRST COUNT
 *   churn FIRST COUNT RATE SECONDS
 *       RATE times a second the oldest of the COUNT MACs from FIRST on goes, and the next one comes
 */
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { noCapabilities } from '../../../src/wire/bgp/capabilities.js';
import { encodeKeepalive, encodeOpen } from '../../../src/wire/bgp/message.js';
import { type EvpnRoute, NO_ESI, type PathAttributes } from '../../../src/wire/bgp/route.js';
import { AFI_L2VPN, MESSAGE_LIMIT, SAFI_EVPN } from '../../../src/wire/bgp/session.js';
import { encodeEndOfRib, UpdateEncoder } from '../../../src/wire/bgp/update-encode.js';

const HOLD_S = 90;
const STEP_MS = 10;
const [path, address = '', asnText, vniText] = process.argv.slice(2);
const [asn, vni] = [Number(asnText), Number(vniText)];
const rd = `${address}:1`;
const extended = { routeTargets: [`${asn}:${vni}`], encapsulation: 8, isGateway: false };
const attributes: PathAttributes = { origin: 0, asPath: [], nextHop: address, localPref: 100, extended };
const pmsi = { flags: 0, type: 6, label: vni, endpoint: address };
const encoder = new UpdateEncoder({ fourOctetAs: true, isInternal: true, maxLength: MESSAGE_LIMIT });
let session: Socket | null = null;

const print = (value: object): unknown => process.stdout.write(`${JSON.stringify(value)}\n`);

function routes(first: number, count: number): EvpnRoute[] {
  return Array.from({ length: count }, (_, at) => {
    const hex = (first + at).toString(16).padStart(8, '0');
    const mac = `06:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6)}`;
    return { type: 2, rd, esi: NO_ESI, tag: 0, mac, label: vni };
  });
}

/** Resolves when the kernel has all of it. */
async function send(messages: readonly Uint8Array[]): Promise<void> {
  const socket = session;
  if (socket === null) throw new Error('there is no session');
  socket.cork();
  let left: Promise<void> | undefined;
  messages.forEach((message, at) => {
    if (at < messages.length - 1) socket.write(message);
    else left = new Promise((resolve) => socket.write(message, () => resolve()));
  });
  socket.uncork();
  await left;
}

async function churn(first: number, count: number, rate: number, seconds: number): Promise<void> {
  const began = performance.now();
  for (let done = 0; done < rate * seconds; ) {
    await delay(STEP_MS);
    const due = Math.min(Math.floor(((performance.now() - began) * rate) / 1000), rate * seconds) - done;
    if (due <= 0) continue;
    const coming = encoder.announce(routes(first + count + done, due), attributes);
    await send([...encoder.withdraw(routes(first + done, due)), ...coming]);
    done += due;
  }
}

async function carryOut(words: string[]): Promise<void> {
  const [first = 0, count = 0, rate = 0, seconds = 0] = words.slice(1).map(Number);
  if (words[0] === 'announce') await send(encoder.announce(routes(first, count), attributes));
  else if (words[0] === 'withdraw') await send(encoder.withdraw(routes(first, count)));
  else await churn(first, count, rate, seconds);
  print({ did: words.join(' ') });
}

createServer((socket) => {
  session = socket;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  const families = [{ afi: AFI_L2VPN, safi: SAFI_EVPN }];
  const capabilities = { ...noCapabilities(), families, fourOctetAs: asn, routeRefresh: true };
  socket.write(encodeOpen({ asn, holdTime: HOLD_S, routerId: address, capabilities }));
  // What the other side sends is of no interest here, but for its first word.
  socket.once('data', () => {
    socket.write(encodeKeepalive());
    for (const message of encoder.announce([{ type: 3, rd, tag: 0, origin: address }], { ...attributes, pmsi }))
      socket.write(message);
    socket.write(encodeEndOfRib());
    print({ up: true });
  });
  socket.resume();
  const alive = setInterval(() => socket.write(encodeKeepalive()), (HOLD_S * 1000) / 3);
  socket.on('close', () => {
    clearInterval(alive);
    if (session === socket) session = null;
    print({ down: true });
  });
}).listen(179, address, () => print({ listens: true }));

let last: Promise<void> = Promise.resolve();
createServer((client) => {
  createInterface({ input: client }).on('line', (line) => {
    last = last.then(() => carryOut(line.split(' ')));
  });
}).listen(path, () => print({ takes: 'commands' }));
