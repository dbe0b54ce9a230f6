/** Builders of small faulty files, and the shape of a table of them. */

/** Lines of options under br1 from line 3; ports from there. */
export const inBridge = (...lines: string[]): string =>
  ['bridges:', '  br1:', ...lines.map((l) => `    ${l}`)].join('\n');
/** Options of one vxlan port: the first stands in line 6, column 9. */
export const inVxlan = (...lines: string[]): string =>
  inBridge('ports:', '  vx:', '    type: vxlan', ...lines.map((l) => `    ${l}`));
/** Options of one tap port: the first stands in line 6, column 9. */
export const inTap = (...lines: string[]): string =>
  inBridge('ports:', '  t:', '    type: tap', ...lines.map((l) => `    ${l}`));
/** The same on a filtering bridge: the first stands in line 7, column 9. */
export const inFilteredTap = (...lines: string[]): string =>
  inBridge('vlan_filtering: true', 'ports:', '  t:', '    type: tap', ...lines.map((l) => `    ${l}`));
export const inTunnel = (...lines: string[]): string =>
  inBridge(
    'vlan_filtering: true',
    'ports:',
    '  vx:',
    '    type: vxlan',
    '    vlan_tunnel: true',
    ...lines.map((l) => `    ${l}`),
  );

export const T = 'bridges.br1.ports.t';
export const V = 'bridges.br1.ports.vx';

/** What is wrong, the text, LINE:COLUMN, the path, and what the message says. */
export type Case = [what: string, text: string, at: string, path: string, message: RegExp];
