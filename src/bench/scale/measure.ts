/** Processor time and memory of this process. Time on the clock would measure whatever else the machine does. */

/** Seconds, garbage collection and compilation included. */
export function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Bytes of heap and buffers after a collection. @throws Error without --expose-gc */
export function heapUsed(): number {
  if (globalThis.gc === undefined) throw new Error('start it with node --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage();
  return heap + arrayBuffers;
}
