/**
 * Customer VLANs and the service VLANs that carry them: `10-19:100`. Owns their text form; which of them a switch looks at is the
 * bridge's affair.
 */
import { Refusal } from './address.js';
import { formatRange, type IdRange, readRange, VLAN_ID } from './id-range.js';
import { quote } from './show.js';

export interface CvlanMap {
  customers: IdRange;
  service: number;
}

/** Reads one map. */
export function readCvlanMap(input: string): CvlanMap | Refusal {
  const [customers, service, ...rest] = input.split(':');
  if (service === undefined || rest.length > 0 || !/^[0-9]{1,4}$/.test(service))
    return new Refusal(`${quote(input)} is no map of customer VLANs to a service VLAN; give one such as '10-19:100'`);
  const range = readRange(customers, VLAN_ID);
  if (range instanceof Refusal) return range;
  const one = readRange(service, VLAN_ID);
  return one instanceof Refusal ? one : { customers: range, service: one.first };
}

/** Reads a list of them: a customer VLAN is in one map. @returns the maps in canonical text, ascending */
export function readCvlanMaps(texts: readonly string[]): string[] | Refusal {
  const maps: CvlanMap[] = [];
  for (const text of texts) {
    const read = readCvlanMap(text);
    if (read instanceof Refusal) return read;
    maps.push(read);
  }
  maps.sort((a, b) => a.customers.first - b.customers.first);
  const twice = maps.find(({ customers }, at) => at > 0 && customers.first <= maps[at - 1].customers.last);
  if (twice !== undefined)
    return new Refusal(`customer VLAN ${twice.customers.first} is in two maps; give each a service VLAN once`);
  return maps.map(({ customers, service }) => `${formatRange(customers)}:${service}`);
}
