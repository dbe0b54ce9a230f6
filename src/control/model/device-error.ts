/** A device or a number could not be had; the message names the port and says what to do. */
export class DeviceError extends Error {
  readonly code = 'DEVICE_UNAVAILABLE';
}
