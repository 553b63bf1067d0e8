// Preloaded into a run of the executable's code by Node: gives it what it calls of its own runtime, and writes what it loads.
import { writeFileSync, writeSync } from 'node:fs';
import { register } from 'node:module';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { CryptoHasher, connect } from './node-runtime.mjs';

const modules = [];
const { port1, port2 } = new MessageChannel();
const hooks = `
  let port;
  export const initialize = (data) => { port = data.port; };
  export async function resolve(specifier, context, next) {
    const found = await next(specifier, context);
    if (context.parentURL?.startsWith(process.env.RECORDED_CODE)) port.postMessage(found.url);
    return found;
  }`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`, {
  data: { port: port2 },
  transferList: [port2],
});

const get = process.getBuiltinModule;
process.getBuiltinModule = (name) => {
  modules.push(name);
  return get(name);
};
globalThis.Bun = {
  connect,
  CryptoHasher,
  unsafe: { setJITPolicy: (scale) => modules.push(`compiled at ${scale}`) },
  stdout: 1,
  write: async (to, text) => writeSync(to, text),
};
process.on('exit', () => {
  for (let message = receiveMessageOnPort(port1); message !== undefined; message = receiveMessageOnPort(port1))
    modules.push(message.message);
  writeFileSync(process.env.RECORD_LOADS_TO, JSON.stringify(modules));
});
