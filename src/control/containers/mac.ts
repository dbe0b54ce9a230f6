/** MAC addresses of containers. Pure. */
import { createHash } from 'node:crypto';

/**
 * Docker's own way: from the IPv4 address, so that a container that comes back with its address has its MAC too. Without one, from
 * the endpoint.
 */
export function macOf(address: string | undefined, endpoint: string): string {
  const octets = address?.includes('.') === true ? address.split('/')[0]?.split('.').map(Number) : undefined;
  const bytes = octets ?? [...createHash('sha256').update(endpoint).digest().subarray(0, 4)];
  return ['02', '42', ...bytes.map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}
