/**
 * What the drivers of container engines share: what they may do with the switch, and how they refuse.
 */
import type { Document } from '../../config/edit/tree.js';
import type { SwitchConfig } from '../../config/types.js';

/** A request is refused; nothing has changed. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

export interface SwitchAccess {
  /** The present configuration. */
  readonly config: SwitchConfig;
  /** Changes links by the rules of a request. @throws ChangeRefused */
  revise(change: (document: Document) => Document): Promise<void>;
  /** Whether a port has its NIC, wherever that is. */
  hasNic(port: string): boolean;
}

export interface DriverLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}
