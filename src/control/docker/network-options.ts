/**
 * The options of `docker network create -d overtap -o KEY=VALUE`. Pure.
 */
import { Refusal, readVtepIp } from '../../values/address.js';
import { ProtocolError } from '../containers/contract.js';
import type { NetworkOptions } from '../containers/network-plan.js';

const MOST_REMOTES = 256;

type Reader = (value: string) => Partial<NetworkOptions>;

const readMtu: Reader = (value) => ({ mtu: whole('mtu', value, 68, 65_535) });

const READERS: Readonly<Record<string, Reader>> = {
  vni: (value) => ({ vni: whole('vni', value, 1, 16_777_215) }),
  vlan: (value) => ({ vlan: whole('vlan', value, 1, 4094) }),
  remotes: (value) => ({ remotes: readRemotes(value) }),
  port: (value) => ({ port: value }),
  mtu: readMtu,
  'com.docker.network.driver.mtu': readMtu,
  gateway(value) {
    if (value !== 'none') throw new ProtocolError('option gateway: give "none", or the address to --gateway');
    return { gateway: value };
  },
};

/** @throws ProtocolError */
export function readNetworkOptions(given: ReadonlyMap<string, string>): NetworkOptions {
  let options: NetworkOptions = { remotes: [] };
  for (const [key, value] of given) {
    const reader = Object.hasOwn(READERS, key) ? READERS[key] : undefined;
    if (reader !== undefined) options = { ...options, ...reader(value) };
    else if (!key.startsWith('com.docker.')) throw unknownOption(key);
  }
  if (options.remotes.length > 0 && options.vni === undefined)
    throw new ProtocolError('option remotes: needs vni too, as only a network with a VNI leaves this host');
  return options;
}

function unknownOption(key: string): ProtocolError {
  const known = Object.keys(READERS).filter((one) => !one.includes('.'));
  return new ProtocolError(`unknown option ${key.slice(0, 50)}; there are: ${known.join(', ')}`);
}

function whole(key: string, value: string, min: number, max: number): number {
  const number = /^[0-9]{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new ProtocolError(`option ${key}: expected a number from ${min} to ${max}, found "${value.slice(0, 50)}"`);
}

function readRemotes(value: string): string[] {
  const words = value.split(',').filter((word) => word !== '');
  if (words.length > MOST_REMOTES) throw new ProtocolError(`option remotes: at most ${MOST_REMOTES}`);
  return words.map((word) => {
    const address = readVtepIp(word.trim());
    if (address instanceof Refusal) throw new ProtocolError(`option remotes: ${address.message}`);
    return address;
  });
}
