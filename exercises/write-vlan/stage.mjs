// The stage "VLAN ingress": in which VLAN does a frame enter? See task.md, and stage.d.ts for the types.

/**
 * @param {import('./stage.d.ts').Port} port that the frame comes in by
 * @param {Uint8Array} frame its bytes, from the destination MAC on
 * @returns {number | string} the VLAN ID, or the reason to drop it
 */
export function classify(port, frame) {
  return 'no_pvid';
}
