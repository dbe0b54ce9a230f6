/* Loaded by `node --require` before a switch: each thread with an event loop writes the bytes of its heap into a file, every second. */
'use strict';
const { appendFileSync } = require('node:fs');
const { isMainThread, threadId } = require('node:worker_threads');

const path = process.env.OVERTAP_HEAP_FILE;
if (path !== undefined) {
  const timer = setInterval(() => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    appendFileSync(path, `${isMainThread ? 'control' : `thread ${threadId}`} ${heapUsed + arrayBuffers}\n`);
  }, 1000);
  timer.unref();
}
