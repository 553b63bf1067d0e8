/** Lines as AWS's helper writes them to standard error, by Go's log package: scripts wait for them. */
// Tests: test/clients/update-service.heavy.test.ts, test/peer/serve.test.ts

/** Lines with the local time in front of each. */
export function helperLog(lines: readonly string[], now: Date): string {
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join('/');
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(':');
  return lines.map((line) => `${day} ${time} ${line}\n`).join('');
}

function two(part: number): string {
  return String(part).padStart(2, '0');
}
