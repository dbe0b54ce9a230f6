/** A port of a bridge that filters VLANs. */
export interface Port {
  /** The VLAN of frames without one; null: they are dropped. */
  readonly pvid: number | null;
  /** All VLANs that the port is a member of, the PVID too. */
  readonly vlans: readonly number[];
}

export type Classified = number | 'no_pvid' | 'vlan_not_allowed' | 'frame_too_short';

export type classify = (port: Port, frame: Uint8Array) => Classified;
