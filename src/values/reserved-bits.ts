/** Which bits of the VXLAN header drop a datagram: none, all reserved ones, or a mask of them. */
import { Refusal } from './address.js';
import { quote } from './show.js';

/** The bits that RFC 7348 reserves: all but the I flag and the VNI. */
const RESERVED = 0xf7ff_ffff_0000_00ffn;

/** @returns the text, a mask in lower case */
export function readReservedBits(input: string): string | Refusal {
  if (input === 'ignore' || input === 'drop') return input;
  if (!/^0x[0-9a-f]{1,16}$/i.test(input))
    return new Refusal(
      `${quote(input)} is neither 'ignore', 'drop' nor a mask of 64 bits such as '0xf7ffffff000000ff'`,
    );
  if ((BigInt(input) & ~RESERVED) === 0n) return input.toLowerCase();
  return new Refusal(`${input} has bits of the I flag or the VNI, which are in use; give bits of 0xf7ffffff000000ff`);
}
