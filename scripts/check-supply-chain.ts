// Prints every licence with the packages under it, and asks the registry for known vulnerabilities where it answers that.
// Usage, in the folder of the project: node scripts/run-ts.mjs scripts/check-supply-chain.ts
// Status 1: a package without a hash of its archive, with an install script, or under a licence that is not listed, or a
// vulnerability. A registry that does not answer is said, and is no failure.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { judge, readAudit } from './supply-chain.ts';
import type { Lock } from './supply-chain.ts';

const AUDIT_TIMEOUT_MS = 60_000;

/** It ends with status 1 when it finds something; what it says counts. */
function audit(): Promise<ReturnType<typeof readAudit>> {
  return new Promise((resolve) => {
    const options = { timeout: AUDIT_TIMEOUT_MS, maxBuffer: 2 ** 26 };
    execFile('npm', ['audit', '--json', '--fetch-retries=0'], options, (_error, stdout) => resolve(readAudit(stdout)));
  });
}

const { licences, problems } = judge(JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock);
for (const [licence, ids] of [...licences].toSorted(([, a], [, b]) => b.length - a.length))
  console.log(`${licence} (${ids.length}): ${ids.join(' ')}`);
const { answered, found } = await audit();
console.log(answered ? `known vulnerabilities: ${found.length}` : 'the registry does not tell of vulnerabilities');
for (const problem of [...problems, ...found]) console.error(problem);
process.exitCode = problems.length + found.length === 0 ? 0 : 1;
