/** Traffic between guests, by their busybox. */
import type { GuestConsole } from './console.js';

const TRANSFER_LIMIT_MS = 120_000;
const LISTENS_LIMIT_TURNS = 100;

/** @returns the number of answers to pings */
export async function guestPing(from: GuestConsole, address: string, count = 3): Promise<number> {
  const { output } = await from.run(`ping -c ${count} -W 2 ${address}`, 10_000 + count * 3000);
  return Number(/(\d+) packets received/.exec(output)?.[1] ?? 0);
}

export interface GuestTransfer {
  bytes: number;
  /** As the sender and the receiver have it. */
  sent: string;
  received: string;
}

/** Sends random bytes over TCP. @param address of `to` */
export async function guestTransfer(
  from: GuestConsole,
  to: GuestConsole,
  address: string,
  megabytes: number,
  port = 5000,
): Promise<GuestTransfer> {
  await guestListens(to, port);
  const sent = await guestSends(from, address, megabytes, port);
  const { bytes, sha256 } = await guestReceived(to);
  return { bytes, sent, received: sha256 };
}

/** Waits for one TCP connection; it listens when this returns. */
export async function guestListens(guest: GuestConsole, port: number): Promise<void> {
  // Its input never ends: nc would close the connection then.
  await guest.must(
    `rm -f /tmp/got /tmp/open /tmp/done; mkfifo /tmp/open; (nc -l -p ${port} <> /tmp/open > /tmp/got; touch /tmp/done) & ` +
      `turn=0; until netstat -ltn | grep -q :${port}; do usleep 100000; turn=$((turn + 1)); [ $turn -lt ${LISTENS_LIMIT_TURNS} ] || exit 1; done`,
  );
}

/** Sends random bytes over TCP, until the receiver has closed too. @returns their SHA-256 */
export async function guestSends(
  guest: GuestConsole,
  address: string,
  megabytes: number,
  port: number,
): Promise<string> {
  const sent = await guest.must(
    `dd if=/dev/urandom of=/tmp/sent bs=1M count=${megabytes} 2> /dev/null && nc ${address} ${port} < /tmp/sent && ` +
      'sha256sum < /tmp/sent; rm /tmp/sent',
    TRANSFER_LIMIT_MS,
  );
  return hash(sent);
}

/** What the guest has received by its connection, once that is closed. */
export async function guestReceived(guest: GuestConsole): Promise<{ bytes: number; sha256: string }> {
  const [received, bytes] = (
    await guest.must(
      'until [ -e /tmp/done ]; do usleep 100000; done; sha256sum < /tmp/got; wc -c < /tmp/got; rm /tmp/got',
      TRANSFER_LIMIT_MS,
    )
  ).split('\n');
  return { bytes: Number(bytes), sha256: hash(received) };
}

const hash = (line: string): string => line.split(' ')[0];
