// Looks for a file on S3 with object_store, the Rust library that Polars has. Usage: node scan-polars.cjs ENDPOINT [IMDS]
const polars = require('nodejs-polars');

const [, , endpoint, imds] = process.argv;
const cloudOptions = { aws_endpoint: endpoint, aws_region: 'us-east-1', aws_allow_http: 'true' };
if (imds !== undefined) cloudOptions.aws_metadata_endpoint = imds;
polars
  .scanParquet('s3://bucket/table.parquet', { cloudOptions, retries: 0 })
  .collect()
  .then(() => console.log('it is there'));
