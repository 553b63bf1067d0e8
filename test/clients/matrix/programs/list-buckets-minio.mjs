// Lists the buckets with the credentials provider of MinIO's client. Usage: node list-buckets-minio.mjs ENDPOINT [IMDS]
import { Client, IamAwsProvider } from 'minio';

const { hostname, port } = new URL(process.argv[2]);
const client = new Client({
  endPoint: hostname,
  port: Number(port),
  useSSL: false,
  region: 'us-east-1',
  credentialsProvider: new IamAwsProvider({ customEndpoint: process.argv[3] }),
});
for (const { name } of await client.listBuckets()) console.log(name);
