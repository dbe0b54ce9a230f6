/**
 * The interfaces whose known flows may be carried by the kernel (`offloads.flow`), and the maps that engines and programs share. Without
 * them everything goes through the engines.
 */
import {
  closeFlowMaps,
  type FlowDevice,
  type FlowMaps,
  openDecap,
  openFlowDevice,
  openFlowMaps,
} from '../../port/native-flow-table.js';

/** An interface, as a port names it. */
export interface FlowPlace {
  ifname: string;
  netns?: string | undefined;
}

export class FlowDevices {
  private last = 0;
  private isOpen = true;
  private isRefusalTold = false;
  private endDecap: () => void = () => undefined;

  private constructor(
    readonly maps: FlowMaps,
    private readonly refused: (reason: string) => void,
  ) {}

  /** Superframes out of tunnels are carried too, where the kernel has what that takes. @param refused hears why it has not */
  carrySuperframes(refused: (reason: string) => void): void {
    try {
      this.endDecap = openDecap(this.maps);
    } catch (error) {
      refused(messageOf(error));
    }
  }

  /** @param refused hears why the kernel refuses, once @returns null when it does so at once */
  static open(engines: number, refused: (reason: string) => void): FlowDevices | null {
    try {
      return new FlowDevices(openFlowMaps(engines), refused);
    } catch (error) {
      refused(messageOf(error));
      return null;
    }
  }

  /** Links the programs to an interface; null: its flows stay with the engines. */
  join(place: FlowPlace): FlowDevice | null {
    try {
      return openFlowDevice(this.maps, ++this.last, place);
    } catch (error) {
      if (!this.isRefusalTold) this.refused(messageOf(error));
      this.isRefusalTold = true;
      return null;
    }
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.endDecap();
    closeFlowMaps(this.maps);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
