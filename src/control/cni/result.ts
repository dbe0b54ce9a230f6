/**
 * The result of ADD, in the form of the configuration's version (CNI specification, section "ADD Success"). Pure.
 */
import type { Addressing, Call } from './protocol.js';

/** The NIC beside those of the plugins before. @returns JSON, with a line feed */
export function addResult({ config, ifname, netns }: Call, addressing: Addressing, mac: string, mtu: number): string {
  const { cniVersion, prevResult } = config;
  const before = {
    interfaces: listOf(prevResult?.interfaces),
    ips: listOf(prevResult?.ips),
    routes: listOf(prevResult?.routes),
  };
  const nic = { name: ifname, mac, sandbox: netns, ...(cniVersion >= '1.1' ? { mtu } : {}) };
  const ips = addressing.ips.map(({ address, gateway }) => ({
    ...(cniVersion < '1' ? { version: address.includes(':') ? '6' : '4' } : {}),
    interface: before.interfaces.length,
    address,
    ...(gateway === undefined ? {} : { gateway }),
  }));
  const result = {
    cniVersion,
    interfaces: [...before.interfaces, nic],
    ips: [...before.ips, ...ips],
    routes: [...before.routes, ...addressing.routes],
    dns: addressing.dns ?? prevResult?.dns ?? {},
  };
  return `${JSON.stringify(result)}\n`;
}

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
