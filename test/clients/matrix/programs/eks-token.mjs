// Has aws-iam-authenticator make a token for EKS, which is a presigned GetCallerIdentity, and asks the emulator whose key it
// was made with. Usage: node eks-token.mjs ENDPOINT PROGRAM
import { execFileSync } from 'node:child_process';
import { askEmulator } from './ask-emulator.mjs';

const [, , endpoint, program] = process.argv;
const { status } = JSON.parse(execFileSync(program, ['token', '-i', 'cluster'], { encoding: 'utf8' }));
const { searchParams } = new URL(Buffer.from(status.token.replace(/^k8s-aws-v1\./, ''), 'base64url').toString());
await askEmulator(endpoint, {
  key: searchParams.get('X-Amz-Credential').split('/')[0],
  token: searchParams.get('X-Amz-Security-Token'),
  date: searchParams.get('X-Amz-Date'),
});
