/** What a ping between guests puts on the underlay, as tshark reads it. */
import { until } from '../../src/lab/testbed/wait.js';
import { must } from '../../src/lab/testbed/program.js';
import type { End, World } from './host-testbed.js';

const FIELDS = ['vxlan.vni', 'ip.src', 'eth.src', 'eth.dst', 'ip.dst', 'ip.ttl', 'icmp.type'];

/**
 * Pings an address once from a guest, while a NIC of the underlay is captured.
 * @returns a row for each packet of the ping: `VNI OUTER-SOURCE MAC > MAC ADDRESS > ADDRESS TTL` of the inner frame
 */
export async function pingOnWire(world: World, underlay: End, guest: string, address: string): Promise<string[]> {
  const file = world.file('wire.pcap', '');
  const dump = world.spawn(underlay.netns, [
    'tcpdump',
    '-n',
    '-i',
    underlay.ifname,
    '-U',
    '-w',
    file,
    'udp',
    'port',
    '4789',
  ]);
  await until('tcpdump listens', async () => dump.errors.includes('listening on'));
  await world.exec(guest, ['ping', '-n', '-c', '1', '-W', '10', address]);
  const read = async (): Promise<string[]> => {
    const words = FIELDS.flatMap((field) => ['-e', field]);
    const lines = await must([
      'tshark',
      '-r',
      file,
      '-Y',
      'vxlan && icmp',
      '-T',
      'fields',
      '-E',
      'occurrence=a',
      ...words,
    ]);
    return lines.trim().split('\n').filter(Boolean).map(rowOf);
  };
  // The request and its answer.
  const rows = await until('both packets are in the file', async () => {
    const now = await read();
    return now.length >= 2 && now;
  });
  await dump.stop('SIGTERM');
  return rows;
}

/** Fields have a value for each header, the outer one first. */
function rowOf(line: string): string {
  const [vni, sources, from, to, destinations, ttl] = line.split('\t').map((field) => field.split(','));
  return `${vni?.[0]} ${sources?.[0]} ${from?.[1]} > ${to?.[1]} ${sources?.[1]} > ${destinations?.[1]} ${ttl?.[1]}`;
}
