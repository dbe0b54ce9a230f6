/**
 * The second VNI of lab dove: the switch learns from the tunnel, within limits. The second guest sends frames from invented
 * MACs, and the check reads the FDB of the first host.
 */
import type { FdbRequest, FdbRow, LinkRequest } from '../../api/api.js';
import { encodeEthernet } from '../../wire/ethernet.js';
import { EventLog } from '../checks/event-log.js';
import type { Seen } from '../checks/findings.js';
import type { Inspection } from '../checks/inspection.js';
import { AGEING, hosts, LEARNING, learners, MAX_ADDRESSES } from './dove-place.js';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** EtherType for local experiments (IEEE Std 802). */
const EXPERIMENTAL = 0x88b5;
const PAYLOAD_BYTES = 46;
const SHORT_AGEING = 1;
/** Much longer than the ageing time and the next sweep of the table. */
const AGED_LIMIT_MS = 8000;

/** Invented MACs, five times as many as the port may learn. */
const STRANGERS = Array.from({ length: 5 * MAX_ADDRESSES }, (_, index) => {
  return `02:00:00:00:99:${(index + 1).toString(16).padStart(2, '0')}`;
});

/** Sends one frame from each stranger: all arrive, and the port learns as many MACs as it may. */
export async function holdsLimit(inspection: Inspection): Promise<Seen> {
  const [near, far] = learners;
  const client = inspection.client(hosts[0].name);
  const flush: FdbRequest = { op: 'flush', dev: LEARNING };
  await client.post('/v1/fdb', flush);
  const nic = inspection.sniffGuest(near);
  const frame = { destination: BROADCAST, etherType: EXPERIMENTAL, payload: new Uint8Array(PAYLOAD_BYTES) };
  inspection.send(
    far,
    STRANGERS.map((source) => encodeEthernet({ ...frame, source })),
  );
  const arrived = (): number => nic.frames.filter(({ source }) => STRANGERS.includes(source)).length;
  await nic.sees(() => arrived() >= STRANGERS.length, inspection.signal);
  nic.stop();
  const learned = await learnedRows(inspection);
  return {
    holds: arrived() === STRANGERS.length && learned.length === MAX_ADDRESSES,
    seen: `${STRANGERS.length} addresses sent, ${arrived()} arrived, ${learned.length} learned, ${MAX_ADDRESSES} allowed`,
  };
}

/** Shortens the ageing time and waits for the `aged` events of the strangers. */
export async function forgetsSilent(inspection: Inspection): Promise<Seen> {
  const client = inspection.client(hosts[0].name);
  const log = await EventLog.open(client, ['aged']);
  await inspection.temporarily(
    async () => {},
    () => log.stop(),
  );
  const set = (ageing: number): LinkRequest => ({ op: 'set', name: LEARNING, options: { ageing } });
  const silent = (await learnedRows(inspection)).map(({ mac }) => mac).filter((mac) => STRANGERS.includes(mac));
  const start = performance.now();
  await inspection.temporarily(
    () => client.post('/v1/links', set(SHORT_AGEING)),
    () => client.post('/v1/links', set(AGEING)),
  );
  const aged = (): string[] => log.of('aged').flatMap(({ mac, ifname }) => (ifname === LEARNING ? [mac] : []));
  const allAged = (): boolean => silent.every((mac) => aged().includes(mac));
  const isReported = await log.sees(allAged, inspection.signal, AGED_LIMIT_MS);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const left = (await learnedRows(inspection)).filter(({ mac }) => silent.includes(mac)).length;
  return {
    holds: silent.length > 0 && isReported && left === 0,
    seen: `with an ageing of ${SHORT_AGEING} s, ${aged().length} aged events within ${seconds} s, ${left} of ${silent.length} left`,
  };
}

/** The entries that the first host has learned from the tunnel in this VNI. */
async function learnedRows(inspection: Inspection): Promise<FdbRow[]> {
  const rows = await inspection.client(hosts[0].name).get('/v1/fdb');
  return rows.filter(({ ifname, state }) => ifname === LEARNING && state === 'dynamic');
}
