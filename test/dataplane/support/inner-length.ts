/** The bytes that a datagram counts for: those behind its tunnel header, as far as there is one. */
export function innerLength(payload: Uint8Array, isGeneve: boolean): number {
  if (payload.length < 8) return 0;
  const rest = payload.length - 8;
  const options = 4 * (payload[0] & 0x3f);
  return isGeneve && payload[0] < 0x40 && options <= rest ? rest - options : rest;
}
