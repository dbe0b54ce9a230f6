/**
 * Rows of sources for the next process: they hold there until their sources have spoken. MACs behind one remote share their words, since
 * there may be very many.
 */
import { z } from 'zod';
import type { PeerChange } from './contract.js';
import type { Network } from './network.js';
import type { Claimant } from './claims.js';

const PLACE = {
  port: z.string(),
  vni: z.int(),
};
const REMOTE = {
  remote: z.string(),
  dstport: z.int().exactOptional(),
  sentVni: z.int().exactOptional(),
};

export const SAVED_PEERS = z.array(
  z.object({
    source: z.string(),
    floods: z.array(z.object({ ...PLACE, ...REMOTE })),
    macs: z.array(z.object({ ...PLACE, ...REMOTE, sticky: z.boolean(), macs: z.array(z.string()) })),
    bindings: z.array(z.object({ ...PLACE, ip: z.string(), mac: z.string(), isRouter: z.boolean() })),
  }),
);
export type SavedPeers = z.output<typeof SAVED_PEERS>;
type Saved = SavedPeers[number];

export function savedOf(by: Claimant, networks: Iterable<Network>): Saved {
  const saved: Saved = { source: by.name, floods: [], macs: [], bindings: [] };
  const behind = new Map<string, Saved['macs'][number]>();
  for (const { port, vni, floods, macs, bindings } of networks) {
    for (const { claims } of floods.values()) {
      const value = claims.of(by);
      if (value !== undefined) saved.floods.push({ port, vni, ...remoteOfValue(value) });
    }
    for (const [mac, { claims }] of macs) {
      const value = claims.of(by);
      if (value === undefined) continue;
      const { dst, udpPort, sentVni, sticky } = value;
      const key = `${port} ${vni} ${dst} ${udpPort} ${sentVni} ${sticky}`;
      const list = behind.get(key);
      if (list !== undefined) list.macs.push(mac);
      else behind.set(key, { port, vni, ...remoteOfValue(value), sticky, macs: [mac] });
    }
    for (const [ip, { claims }] of bindings) {
      const value = claims.of(by);
      if (value !== undefined) saved.bindings.push({ port, vni, ip, ...value });
    }
  }
  saved.macs = [...behind.values()];
  return saved;
}

function remoteOfValue({ dst, udpPort, sentVni }: { dst: string; udpPort?: number; sentVni?: number }): {
  remote: string;
  dstport?: number;
  sentVni?: number;
} {
  return {
    remote: dst,
    ...(udpPort === undefined ? {} : { dstport: udpPort }),
    ...(sentVni === undefined ? {} : { sentVni }),
  };
}

export function changeOf({ floods, macs, bindings }: Saved): PeerChange {
  return {
    floods: { add: floods, remove: [] },
    macs: { add: macs.flatMap(({ macs: list, ...rest }) => list.map((mac) => ({ ...rest, mac }))), remove: [] },
    bindings: { add: bindings, remove: [] },
  };
}
