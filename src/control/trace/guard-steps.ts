/** The step of a frame that the guard of its port refuses: what it claims, and what the port may. */
import type { TraceStep } from '../../api/trace.js';
import type { Context } from '../../dataplane/state/context.js';
import { DROP_REASONS } from '../../dataplane/state/drop-reasons.js';
import {
  CLAIM_ADDRESS,
  CLAIM_MAC,
  CLAIM_ROUTER,
  CLAIM_SERVER,
  CLAIM_UNREADABLE,
} from '../../dataplane/state/port-guard.js';
import { formatMac, sourceHigh, sourceLow } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import type { Site } from './site.js';

/** Items of a list that are named; the others are counted. */
const NAMED = 8;

/** @param reason index of the reason for which the frame was dropped @returns no step where no guard did it */
export function guardSteps(reason: number, sw: Context, site: Site): TraceStep[] {
  const code = DROP_REASONS[reason];
  const port = sw.batch.port[0];
  const config = site.port(port)?.config;
  if (config === undefined) return [];
  const step = (text: string): TraceStep[] => [{ stage: 'guard', code, text }];
  if (code === 'mac_not_allowed') {
    const offset = sw.batch.offset[0];
    const source = formatMac(sourceHigh(sw.view, offset), sourceLow(sw.view, offset));
    return step(`The frame is from ${source}; ${site.name(port)} may send from ${listed(config.allowed_macs)} only.`);
  }
  if (code !== 'arp_guard' && code !== 'dhcp_guard') return [];
  return step(claimText(sw, `${site.name(port)} may claim ${listed(config.arp_guard)} only`, site.name(port)));
}

function claimText({ claim }: Context, allowed: string, port: string): string {
  const [a0, a1, a2, a3] = claim.words;
  const address = formatAddress(a0, a1, a2, a3);
  switch (claim.kind) {
    case CLAIM_ADDRESS:
      return `The frame claims ${address}; ${allowed} (arp_guard).`;
    case CLAIM_MAC:
      return `The frame says that its address is at ${formatMac(claim.high, claim.low)}, which is not its source, nor in allowed_macs of ${port}.`;
    case CLAIM_SERVER:
      return `The frame is a message of a DHCP server, and ${port} is not trusted (dhcp_guard).`;
    case CLAIM_ROUTER:
      return `The frame is a router advertisement or a redirect, and ${port} is not trusted (ra_guard).`;
    case CLAIM_UNREADABLE:
      return 'The guard cannot read the frame to its end: it is malformed, in fragments, or behind too many headers. Some hosts might.';
    default:
      return `The guard of ${port} refuses the frame.`;
  }
}

function listed(items: readonly string[]): string {
  const named = items.slice(0, NAMED).join(', ');
  return items.length <= NAMED ? named : `${named} and ${items.length - NAMED} more`;
}
