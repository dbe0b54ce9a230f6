/**
 * Changes of the NIC of a TAP that is open: MAC, addresses, persistence. Each comes with what takes it back, since a change
 * of the switch is done wholly or not at all.
 */
import type { NicAddress, TapConfig } from '../../config/types.js';
import type { OpenTap } from '../model/model.js';

type Undo = () => void;

/** Makes the NIC as told. @returns what takes it back, last change first @throws when the kernel refuses; taken back then */
export function changeNic(tap: OpenTap, before: TapConfig, after: TapConfig): Undo[] {
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
    // One that its owner has changed at the NIC stays, until another one is asked for.
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

/** What cannot be taken back, since the device has gone meanwhile, needs not be. */
export function takeBack(undo: readonly Undo[]): void {
  for (const step of undo) {
    try {
      step();
    } catch {
      // The first refusal is the one to tell of.
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
