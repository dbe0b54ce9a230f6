/**
 * Changes to the NIC of an open TAP: MAC, addresses, persistence. Each returns its undo, because a change of the switch is done
 * completely or not at all.
 */
import type { NicAddress, NicConfig } from '../../config/types.js';
import type { OpenTap } from '../model/model.js';

type Undo = () => void;

/**
 * Applies settings to the NIC.
 * @returns the undo, last change first
 * @throws when the kernel refuses; earlier changes are undone then
 */
export function changeNic(tap: OpenTap, before: NicConfig, after: NicConfig): Undo[] {
  const undo: Undo[] = [];
  const attempt = (change: Undo, back: Undo): void => {
    change();
    undo.unshift(back);
  };
  const gone = without(before.addresses, after.addresses);
  const come = without(after.addresses, before.addresses);
  const { mac } = tap;
  try {
    const wanted = after.mac;
    // A MAC set by the NIC's owner stays until the configuration asks for another one.
    if (wanted !== undefined && wanted !== before.mac && wanted !== mac)
      attempt(
        () => tap.setMac(wanted),
        () => tap.setMac(mac),
      );
    if (gone.length > 0)
      attempt(
        () => tap.removeAddresses(gone),
        () => tap.addAddresses(gone),
      );
    if (come.length > 0)
      attempt(
        () => tap.addAddresses(come),
        () => tap.removeAddresses(come),
      );
    if (after.persist !== before.persist)
      attempt(
        () => tap.setPersist(after.persist),
        () => tap.setPersist(before.persist),
      );
  } catch (error) {
    takeBack(undo);
    throw error;
  }
  return undo;
}

/** An undo may fail only because the device is gone, and is then not needed. */
export function takeBack(undo: readonly Undo[]): void {
  for (const step of undo) {
    try {
      step();
    } catch {
      // The first refusal is reported.
    }
  }
}

function without(list: readonly NicAddress[], others: readonly NicAddress[]): NicAddress[] {
  const known = new Set(others.map(text));
  return list.filter((one) => !known.has(text(one)));
}

function text({ address, prefix }: NicAddress): string {
  return `${address}/${prefix}`;
}
