/** A device cannot be opened or a table is full; the message names the port and the remedy. */
export class DeviceError extends Error {
  readonly code = 'DEVICE_UNAVAILABLE';
}
