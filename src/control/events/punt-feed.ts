/**
 * Dispatches punted frames and reports: IGMP, MLD, PIM and MRD to the multicast database; misses of MACs and addresses, and disputed
 * bindings, to event subscribers.
 */

import type { SwitchEvent } from '../../api/api.js';
import {
  PUNT_BPDU,
  PUNT_L2MISS,
  PUNT_L3MISS,
  PUNT_NEIGH_CONFLICT,
  PUNT_OWN_TUNNEL,
  PUNT_PROBE,
  type Punt,
  type PuntReader,
  subjectOf,
} from '../../dataplane/state/punt-ring.js';
import { formatMac } from '../../wire/ethernet.js';
import { formatAddress } from '../../wire/ip-address.js';
import { attempt, soon } from '../guard.js';
import { isTunnel, type Port, type SwitchModel } from '../model/model.js';
import { vniOf } from '../model/naming.js';

const WITHOUT_FRAME = [PUNT_L2MISS, PUNT_L3MISS, PUNT_NEIGH_CONFLICT, PUNT_OWN_TUNNEL];

export interface PuntFeedParts {
  model: SwitchModel;
  punts: PuntReader;
  multicast: { hear(punt: Punt): void; publish(): void };
  /** Gets loop probes that have come back. */
  loops: { hear(punt: Punt): void };
  /** Gets BPDUs. */
  trees: { hear(punt: Punt): void; publish(): void };
  tell(event: SwitchEvent): void;
  /** A datagram of the switch's own tunnel to this remote was received on the port; for every report of an engine. */
  ownTunnel(port: Port, remote: string): void;
}

/** Milliseconds after which requests, timers and sockets come first: a report may have 180 records, and a guest may send many. */
const MOST_MS = 10;

export class PuntFeed {
  private isScheduled = false;

  /** @param now a monotonic clock in milliseconds */
  constructor(
    private readonly parts: PuntFeedParts,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Reads the punt rings, for a while. @param mostMs after which the rest is left for the next turn of the event loop */
  drain(mostMs = MOST_MS): void {
    const { punts, multicast, trees } = this.parts;
    const end = this.now() + mostMs;
    // An unreadable frame is skipped: the ring must be drained.
    const more = punts.drain(
      (punt) => attempt('punt', () => this.take(punt)),
      () => this.now() >= end,
    );
    if (more && !this.isScheduled) {
      this.isScheduled = true;
      soon('punt', () => this.goOn());
    }
    multicast.publish();
    trees.publish();
  }

  private goOn(): void {
    this.isScheduled = false;
    this.drain();
  }

  private take(punt: Punt): void {
    if (punt.kind === PUNT_PROBE) {
      this.parts.loops.hear(punt);
      return;
    }
    if (punt.kind === PUNT_BPDU) {
      this.parts.trees.hear(punt);
      return;
    }
    if (!WITHOUT_FRAME.includes(punt.kind)) {
      this.parts.multicast.hear(punt);
      return;
    }
    const port = this.parts.model.portAt[punt.port];
    if (port === undefined) return; // the port was deleted meanwhile
    const { address, mac, other } = subjectOf(punt);
    if (punt.kind === PUNT_OWN_TUNNEL) {
      this.parts.ownTunnel(port, formatAddress(...address));
      return;
    }
    const vni = isTunnel(port) ? vniOf(port, punt.vid) : undefined;
    const place = {
      ifname: port.name,
      ...(punt.vid === 0 ? {} : { vlan: punt.vid }),
      ...(vni === undefined ? {} : { vni }),
    };
    const text = ({ high, low }: { high: number; low: number }): string => formatMac(high, low);
    if (punt.kind === PUNT_L2MISS) this.parts.tell({ event: 'l2miss', mac: text(mac), ...place });
    else if (punt.kind === PUNT_L3MISS) this.parts.tell({ event: 'l3miss', dst: formatAddress(...address), ...place });
    else
      this.parts.tell({
        event: 'neigh_conflict',
        dst: formatAddress(...address),
        lladdr: [text(other), text(mac)],
        ...place,
      });
  }
}
