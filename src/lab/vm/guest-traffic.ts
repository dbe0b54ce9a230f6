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
  // Its input never ends: nc would close the connection then.
  await to.must(
    `rm -f /tmp/got /tmp/open /tmp/done; mkfifo /tmp/open; (nc -l -p ${port} <> /tmp/open > /tmp/got; touch /tmp/done) & ` +
      `turn=0; until netstat -ltn | grep -q :${port}; do usleep 100000; turn=$((turn + 1)); [ $turn -lt ${LISTENS_LIMIT_TURNS} ] || exit 1; done`,
  );
  const sent = await from.must(
    `dd if=/dev/urandom of=/tmp/sent bs=1M count=${megabytes} 2> /dev/null && nc ${address} ${port} < /tmp/sent && ` +
      'sha256sum < /tmp/sent; rm /tmp/sent',
    TRANSFER_LIMIT_MS,
  );
  const [received, bytes] = (
    await to.must(
      'until [ -e /tmp/done ]; do usleep 100000; done; sha256sum < /tmp/got; wc -c < /tmp/got; rm /tmp/got',
      TRANSFER_LIMIT_MS,
    )
  ).split('\n');
  return { bytes: Number(bytes), sent: hash(sent), received: hash(received) };
}

const hash = (line: string): string => line.split(' ')[0];
