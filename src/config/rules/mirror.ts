/** Rules of mirrors: which ports can be the output of one, and how many there may be. */
import { PORT_KINDS } from '../options/kinds.js';
import type { DecodedBridge, DecodedPort } from '../read/decoded.js';
import type { FaultList } from '../read/faults.js';

/** As in the data path: a bit each in a row of a batch (`dataplane/state/mirrors.ts`). */
export const MAX_MIRRORS = 8;

export function checkMirrors(bridges: readonly DecodedBridge[], faults: FaultList): void {
  const outputs = bridges.flatMap((bridge) => bridge.portList.filter(isOutput).map((port) => ({ bridge, port })));
  for (const { bridge, port } of outputs) {
    const path = [...port.path, 'mirror'];
    if (PORT_KINDS[port.type].layer3 === true)
      faults.at(path, `a ${port.type} port has IP packets only, and mirrors copy frames; use a port of another type`);
    if (bridge.given.xconnect === true)
      faults.at(path, `${bridge.name} is a cross-connect of two ports; a mirror needs a bridge without xconnect`);
  }
  const excess = outputs[MAX_MIRRORS];
  if (excess !== undefined)
    faults.at([...excess.port.path, 'mirror'], `a switch has at most ${MAX_MIRRORS} mirrors; set mirror to off here`);
}

function isOutput({ given }: DecodedPort): boolean {
  return given.mirror !== undefined && given.mirror !== 'off';
}
