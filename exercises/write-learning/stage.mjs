// The stage "learning": where does a frame go? See task.md, and stage.d.ts for the types.

/**
 * @param {Map<string, any>} fdb empty at first, and yours: keep in it what the switch has learned
 * @param {import('./stage.d.ts').Frame} frame
 * @returns {string} the name of a port, 'flood' or 'drop'
 */
export function decide(fdb, frame) {
  return 'flood';
}
