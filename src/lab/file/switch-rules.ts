/**
 * The faults in the switch configurations of a lab file: by the rules of configurations, and by those of labs, since a lab file may come from
 * anybody: a switch gets no path, no descriptor and no namespace outside the lab.
 */
import { checkPart, ConfigError, type ConfigFault } from '../../config/load.js';
import { FaultList, formatPath, type Locator, type Path } from '../../config/read/faults.js';
import { quote } from '../../values/show.js';
import type { LabFile, LabHost } from './lab-file.js';
import { namespacesIn, portOf, portsIn, switchValue } from './switch-value.js';

/** Keys of the top of a configuration that the lab sets itself, or that reach beyond it. */
const OF_THE_LAB = ['name', 'control', 'control_group', 'control_mode', 'metrics', 'docker', 'cni'];
/** Keys of ports that name files or descriptors. */
const BEYOND = ['fd', 'connect', 'listen', 'socket_group', 'socket_mode'];

/** All faults, with positions in the lab file. */
export function switchFaults(lab: LabFile, fileName: string): ConfigFault[] {
  return lab.hosts.flatMap((host) => {
    const own = new FaultList(lab.locator);
    const path = ['hosts', host.name, 'switch'];
    checkBounds(lab, host, path, own);
    checkPorts(lab, host, path, own);
    if (own.count > 0) return own.toError(fileName).faults;
    return configFaults(lab, host, path, fileName);
  });
}

function checkBounds(lab: LabFile, { given }: LabHost, path: Path, faults: FaultList): void {
  if (given === undefined) return;
  for (const key of OF_THE_LAB)
    if (Object.hasOwn(given.value as object, key)) faults.atKey([...path, key], 'is for the lab to set; remove it');
  const names = namespacesIn(lab);
  for (const { port, path: inside } of portsIn(given.value)) {
    const at = [...path, ...inside];
    for (const key of BEYOND)
      if (Object.hasOwn(port, key)) faults.atKey([...at, key], 'names something outside the lab; a lab file may not');
    for (const key of ['local', 'remote'])
      if (String(port[key]).startsWith('/')) faults.at([...at, key], 'names a file; give ADDRESS:PORT in a lab file');
    if (port.persist === true) faults.at([...at, 'persist'], 'is no use in a lab, whose NICs end with it; remove it');
    if (port.netns !== undefined && !names.has(String(port.netns))) {
      const known = [...names.keys()].slice(0, 20).join(', ') || 'none';
      faults.at([...at, 'netns'], `${quote(String(port.netns))} is no guest or router of the lab; there are ${known}`);
    }
  }
}

/** Every guest has its port in the switch of its host, and an IPv4 address. */
function checkPorts(lab: LabFile, host: LabHost, path: Path, faults: FaultList): void {
  const value = switchValue(lab, host);
  for (const guest of lab.guests.filter((one) => one.host === host.name)) {
    const found = portOf(value, guest);
    if (found === undefined) {
      const want = guest.isHost ? 'a port with host_port: true' : `a bridge, or a tap port with netns: ${guest.name}`;
      faults.at(path, `has no port for guest ${guest.name}; give ${want}`);
      continue;
    }
    const [first] = Array.isArray(found.port.addresses) ? found.port.addresses : [];
    if (!/^[0-9.]+\/[0-9]+$/.test(String(first)))
      faults.at([...path], `guest ${guest.name} has no IPv4 address first; give its port "addresses"`);
  }
}

function configFaults(lab: LabFile, host: LabHost, path: Path, fileName: string): readonly ConfigFault[] {
  const locator: Locator = {
    value: (inside) => lab.locator.value([...path, ...inside]),
    key: (inside) => lab.locator.key([...path, ...inside]),
  };
  try {
    checkPart(switchValue(lab, host), fileName, locator, { netnsExists: () => true, hostname: () => host.name });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => ({ ...fault, path: `${formatPath(path)}.${fault.path}` }));
  }
}
