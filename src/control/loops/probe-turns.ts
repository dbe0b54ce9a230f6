/**
 * Shares the probes of a tick among ports, so that nobody who makes MACs move in many VLANs delays the probes of other ports: every port
 * has one before any has two, in the VLAN with most moves; its other VLANs follow one after another.
 */
import type { BridgeModel, Port } from '../model/model.js';

/** Most probes in a tick. */
export const MOST_PROBES = 96;

/** Where a probe is to be sent. */
export interface Place {
  port: Port;
  bridge: BridgeModel;
  vid: number;
  /** Of the places of a port that with the most comes first. */
  weight: number;
}

export class ProbeTurns {
  /** Of the ports, which comes first: one for which the last tick had no room. */
  private first = 0;
  /** By port, which of its VLANs comes next, after that with most moves. */
  private readonly next = new WeakMap<Port, number>();

  /** @returns at most MOST_PROBES of the places */
  share(wanted: readonly Place[]): Place[] {
    if (wanted.length <= MOST_PROBES) return [...wanted];
    const lists = [...byPort(wanted).values()];
    const from = this.first % lists.length;
    this.first = from + MOST_PROBES;
    const order = [...lists.slice(from), ...lists.slice(0, from)];
    const chosen: Place[] = [];
    for (let round = 0; chosen.length < MOST_PROBES; round++) {
      for (const list of order) {
        if (round >= list.length) continue;
        if (chosen.length === MOST_PROBES) break;
        chosen.push(round === 0 ? list[0] : this.other(list));
      }
    }
    return chosen;
  }

  /** The next one of a list behind its first. */
  private other(list: readonly Place[]): Place {
    const at = (this.next.get(list[0].port) ?? 0) % (list.length - 1);
    this.next.set(list[0].port, at + 1);
    return list[at + 1];
  }
}

/** The places of each port, that of the greatest weight first; the others as they came. */
function byPort(wanted: readonly Place[]): Map<Port, Place[]> {
  const lists = new Map<Port, Place[]>();
  for (const place of wanted) {
    const list = lists.get(place.port);
    if (list === undefined) lists.set(place.port, [place]);
    else if (list.push(place) > 1 && place.weight > list[0].weight) [list[0], list[list.length - 1]] = [place, list[0]];
  }
  return lists;
}
