// Preloaded into a program under test: kills it before, or right after, the n-th call that changes the file system.
// KILL_AT is n; the number of calls of a whole run is written to KILL_COUNT's file.
const fs = require('node:fs');

const at = Number(process.env.KILL_AT ?? 0);
let calls = 0;
const die = () => process.kill(process.pid, 'SIGKILL');

const { writeFileSync } = fs;
for (const name of [
  'rename',
  'link',
  'symlink',
  'mkdir',
  'mkdtemp',
  'rm',
  'writeFile',
  'fsync',
  'fchmod',
  'chmod',
  'open',
]) {
  const original = fs[name];
  fs[name] = (...args) => {
    calls += 1;
    // Even numbers die before the call, odd ones when it is done.
    if (at > 0 && calls === Math.ceil(at / 2)) {
      if (at % 2 === 0) die();
      const done = args.pop();
      return original(...args, (...results) => {
        die();
        done(...results);
      });
    }
    return original(...args);
  };
}
process.on('exit', () => {
  if (process.env.KILL_COUNT) writeFileSync(process.env.KILL_COUNT, String(calls));
});
