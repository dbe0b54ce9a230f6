/** Which of the values that others say can be used for a port. What comes from a name server or from etcd is hostile until it was checked. */
import { canonicalIp, isMulticastIp } from '../../../values/address.js';
import { isLinkLocal } from '../../../wire/ip-address.js';
import type { PeerFlood } from '../contract.js';
import { MAX_ROWS } from './rows.js';
import type { SourcePort, SourceSite } from './source.js';

/** A VTEP that a source names. */
export interface Remote {
  address: string;
  /** Absent: that of the port. */
  dstport?: number;
}

export type UsableSite = Pick<SourceSite, 'isOwn'>;

/**
 * Reads the address of a remote.
 * @returns canonical; `own`: this host's, which is left out silently, as in `remotes`; a fault in words
 */
export function readRemote(
  text: string,
  port: SourcePort,
  site: UsableSite,
): { address: string } | 'own' | { fault: string } {
  const ip = canonicalIp(text);
  if (ip === undefined) return { fault: 'an address that is none' };
  const { text: address, family } = ip;
  if (family !== port.family) return { fault: `${address} is IPv${family}, and the port has IPv${port.family}` };
  if (isMulticastIp(address)) return { fault: `${address} is a multicast address` };
  if (address === port.local) return 'own';
  if (isLoopback(address)) {
    // On a port that is there itself, as in tests on one host, it is an address like others.
    if (port.local === undefined || !isLoopback(port.local)) return { fault: `${address} is a loopback address` };
  } else if (site.isOwn(address, port.dev)) return 'own';
  if (isReserved(address)) return { fault: `${address} is the address of no host` };
  if (family === 6 && isLinkLocal(address) && port.dev === undefined)
    return { fault: `${address} is link-local, and the port has no dev` };
  return { address };
}

/** 127.0.0.0/8 and ::1; takes canonical text. */
function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/** 0.0.0.0/8, 240.0.0.0/4 with the broadcast address (RFC 6890), and the unspecified address. */
function isReserved(address: string): boolean {
  if (address.includes(':')) return address === '::';
  const first = Number.parseInt(address, 10);
  return first === 0 || first >= 240;
}

/** A flood row for each VNI and remote, as many as there may be. */
export function floodRows(port: SourcePort, vnis: readonly number[], remotes: readonly Remote[]): PeerFlood[] {
  const rows: PeerFlood[] = [];
  for (const vni of vnis) {
    for (const { address, dstport } of remotes) {
      if (rows.length >= MAX_ROWS) return rows;
      const isOther = dstport !== undefined && dstport !== port.dstport;
      rows.push({ port: port.name, vni, remote: address, ...(isOther ? { dstport } : {}) });
    }
  }
  return rows;
}
