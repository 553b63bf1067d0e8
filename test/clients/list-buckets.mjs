// Lists the buckets with the credentials of the SDK's default chain. Usage: node list-buckets.mjs ENDPOINT
import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';

const client = new S3Client({ region: 'us-east-1', endpoint: process.argv[2], forcePathStyle: true });
const { Buckets } = await client.send(new ListBucketsCommand({}));
for (const { Name } of Buckets) console.log(Name);
