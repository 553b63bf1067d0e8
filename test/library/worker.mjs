// A user's program, as docs/library.md has it: 200 calls of two clients over two renewals, and then it just ends.
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

const [library, world, pki] = process.argv.slice(2);
const { fromRolesAnywhere } = await import(library);
const { endpoint, trustAnchorArn, profileArn, roleArn } = JSON.parse(world);
const credentials = fromRolesAnywhere({
  trustAnchorArn,
  profileArn,
  roleArn,
  endpoint,
  durationSeconds: 900,
  certificate: `${pki}ec-p256.crt.pem`,
  privateKey: `${pki}ec-p256.key.pem`,
  intermediates: `${pki}intermediate.pem`,
});
const s3 = new S3Client({ region: 'us-east-1', endpoint, credentials, forcePathStyle: true });
const sts = new STSClient({ region: 'us-east-1', endpoint, credentials });
const calls = Array.from({ length: 100 }, async (_, index) => {
  await new Promise((resolve) => setTimeout(resolve, index * 158));
  const [buckets, identity] = await Promise.all([
    s3.send(new ListBucketsCommand({})),
    sts.send(new GetCallerIdentityCommand({})),
  ]);
  return buckets.Buckets.length === 1 && identity.Arn.includes(':assumed-role/Workload/');
});
const good = (await Promise.all(calls)).filter(Boolean).length;
console.log(`${good} of ${calls.length} pairs of calls were right`);
