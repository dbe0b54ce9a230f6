/** Flows that the kernel carries (`offloads.flow`), for listings: which entries they follow from, and whether a frame belongs to one. */
import type { TraceStep } from '../../api/trace.js';
import { bridgeOfFid } from '../../dataplane/state/fid.js';
import type { CarriedFlow, FlowReader } from '../../dataplane/state/flows.js';
import type { SwitchModel } from '../model/model.js';

const keyOf = (high: number, low: number, fid: number): string => `${high} ${low} ${fid}`;

/** Keys of FDB entries. */
export class CarriedEntries {
  private readonly keys: ReadonlySet<string>;

  constructor(flows: FlowReader | null | undefined) {
    const list = flows?.list() ?? [];
    this.keys = new Set(
      list.flatMap(({ fid, fromHigh, fromLow, toHigh, toLow }) => [
        keyOf(fromHigh, fromLow, fid),
        keyOf(toHigh, toLow, fid),
      ]),
    );
  }

  has({ high, low, fid }: { high: number; low: number; fid: number }): boolean {
    return this.keys.size > 0 && this.keys.has(keyOf(high, low, fid));
  }
}

/** What `trace` adds for a frame whose flow is carried by the kernel at this moment. @param frame hex of its bytes */
export function carriedStep(
  flows: FlowReader | null,
  model: SwitchModel,
  { port: name, vlan = 0, frame }: { port: string; vlan?: number; frame: string },
): TraceStep[] {
  const port = model.ports.get(name);
  if (flows === null || port === undefined || frame.length < 24) return [];
  const word = (at: number, digits: number): number => Number.parseInt(frame.slice(at, at + digits), 16);
  const isIts = ({ port: index, fid, fromHigh, fromLow, toHigh, toLow }: CarriedFlow): boolean =>
    index === port.index &&
    model.bridgeAt[bridgeOfFid(fid)] === port.bridge &&
    ((fid - 1) & 0xfff) === vlan &&
    toHigh === word(0, 4) &&
    toLow >>> 0 === word(4, 8) &&
    fromHigh === word(12, 4) &&
    fromLow >>> 0 === word(16, 8);
  const flow = flows.list().find(isIts);
  if (flow === undefined) return [];
  const text = `The kernel carries this flow as decided here (offloads.flow): ${flow.frames} frames so far, which no engine sees.`;
  return [{ stage: 'offload', code: 'carried', text }];
}
