/* Loaded by `node --require` before a switch: SIGPWR ends the thread of its BGP speaker, as a fault in it would. */
'use strict';
const threads = require('node:worker_threads');
const { syncBuiltinESMExports } = require('node:module');

if (threads.isMainThread) {
  let speaker = null;
  threads.Worker = class extends threads.Worker {
    constructor(file, options) {
      super(file, options);
      if (options?.name === 'bgp speaker') speaker = this;
    }
  };
  syncBuiltinESMExports();
  process.on('SIGPWR', () => void speaker?.terminate());
}
