import { expect, test } from 'vitest';
import { ofIpv4, ofIpv6 } from '../../src/port/default-route.js';

test('the devices of default routes, as /proc/net/route has them', () => {
  const table = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
eth1\t00000000\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0
wlan0\t00000000\t0103A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0
`;
  expect(ofIpv4(table)).toEqual(['eth0', 'wlan0']);
  expect(ofIpv4('')).toEqual([]);
});

test('and as /proc/net/ipv6_route has them', () => {
  const zeros = '0'.repeat(32);
  const row = (destination: string, prefix: string, flags: string, device: string): string =>
    `${destination} ${prefix} ${zeros} 00 ${zeros} 00000400 00000001 00000000 ${flags} ${device.padStart(8)}`;
  const table = [
    row('fe800000000000000000000000000000', '40', '00000001', 'eth1'),
    row(zeros, '00', '00000003', 'eth2'),
    row(zeros, '00', '00200200', 'lo'),
    row(zeros, '80', '80200001', 'lo'),
  ].join('\n');
  expect(ofIpv6(`${table}\n`)).toEqual(['eth2']);
});
