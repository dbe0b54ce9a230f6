// The stage "flooding": which copies of a broadcast leave the switch? See task.md, and stage.d.ts for the types.

/**
 * @param {import('./stage.d.ts').Port[]} ports all ports of the bridge
 * @param {import('./stage.d.ts').Frame} frame a broadcast that has come in
 * @returns {import('./stage.d.ts').Copy[]} in any order
 */
export function flood(ports, frame) {
  return [];
}
